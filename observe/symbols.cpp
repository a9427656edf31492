#include "observe/symbols.hpp"

#define HAVE_DECL_BASENAME 1  // <string.h> declares it: libiberty must not do so again

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>
#include <libiberty/demangle.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <tuple>

namespace vitrine {

namespace {

/// A symbol without a size reaches at most this far, so that a stray address does not get the name of the last
/// function.
constexpr u64 reach_limit = u64{1} << 20;

/// Longer names are shown as they are: undoing them takes a stack of our own that grows with them.
constexpr std::size_t longest_mangled = 4096;

/// C++ names of the Itanium ABI, and Rust's, old and new.
std::string demangled(const char* name) {
  const bool is_mangled = std::strncmp(name, "_Z", 2) == 0 || std::strncmp(name, "_R", 2) == 0;
  if (!is_mangled || std::strlen(name) > longest_mangled) return name;
  char* text = cplus_demangle(name, DMGL_AUTO | DMGL_PARAMS | DMGL_ANSI);
  std::string result = text != nullptr ? text : name;
  std::free(text);
  return result;
}

/// What the linker and compilers of some targets put in for themselves.
bool is_marker(std::string_view name) { return name.empty() || name.front() == '$' || name.starts_with(".L"); }

std::string_view next_word(std::string_view& line) {
  const std::size_t start = line.find_first_not_of(" \t\r");
  if (start == std::string_view::npos) {
    line = {};
    return {};
  }
  line.remove_prefix(start);
  const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

}  // namespace

/// An ELF file in memory with what libelf and libdw keep about it.
class SymbolTable::ElfImage {
 public:
  ElfImage(std::vector<u8> contents, u64 offset) : contents_(std::move(contents)), offset_(offset) {
    elf_version(EV_CURRENT);
    elf_ = elf_memory(reinterpret_cast<char*>(contents_.data()), contents_.size());
    if (elf_ != nullptr) dwarf_ = dwarf_begin_elf(elf_, DWARF_C_READ, nullptr);
  }
  ~ElfImage() {
    if (dwarf_ != nullptr) dwarf_end(dwarf_);
    if (elf_ != nullptr) elf_end(elf_);
  }
  ElfImage(const ElfImage&) = delete;
  ElfImage& operator=(const ElfImage&) = delete;

  [[nodiscard]] Elf* elf() const { return elf_; }
  [[nodiscard]] u64 offset() const { return offset_; }

  [[nodiscard]] std::optional<SourcePlace> place(u64 address) const {
    Dwarf_Die unit;
    if (!find_unit(address, unit)) return std::nullopt;
    Dwarf_Line* line = dwarf_getsrc_die(&unit, address - offset_);
    int number = 0;
    if (line == nullptr || dwarf_lineno(line, &number) != 0) return std::nullopt;
    if (number == 0) line = line_before(unit, address - offset_, number);
    const char* file = line != nullptr ? dwarf_linesrc(line, nullptr, nullptr) : nullptr;
    if (file == nullptr) return std::nullopt;
    return SourcePlace{file, number};
  }

  /// The function that the compiler put into another one here; empty if none.
  [[nodiscard]] std::string inlined(u64 address) const {
    Dwarf_Die unit;
    if (!find_unit(address, unit)) return {};
    std::string name;
    std::size_t budget = most_entries;
    find_inlined(unit, address - offset_, 0, budget, name);
    return name;
  }

 private:
  struct Range {
    u64 low = 0, high = 0;  // as the file has them
    Dwarf_Off unit = 0;
  };

  /// Looks for the innermost one below `parent`. (dwarf_getscopes does not look into namespaces, which have no
  /// addresses; clang puts functions there.) False: it is not here.
  static bool find_inlined(Dwarf_Die& parent, Dwarf_Addr address, int depth, std::size_t& budget, std::string& name) {
    Dwarf_Die die;
    if (depth == deepest || dwarf_child(&parent, &die) != 0) return false;
    do {
      if (budget == 0 || --budget == 0) return true;
      const int tag = dwarf_tag(&die);
      const bool is_space = tag == DW_TAG_namespace || tag == DW_TAG_structure_type || tag == DW_TAG_class_type;
      if (!is_space && dwarf_haspc(&die, address) <= 0) continue;
      if (tag == DW_TAG_inlined_subroutine) name = function_name(die);
      if (find_inlined(die, address, depth + 1, budget, name) || !is_space) return true;
    } while (dwarf_siblingof(&die, &die) == 0);
    return false;
  }

  /// Line 0 is code that the compiler made of several lines, or of none (DWARF 5, 6.2.2): the last line before it in
  /// the same sequence will do. Null: there is none.
  static Dwarf_Line* line_before(Dwarf_Die& unit, Dwarf_Addr address, int& number) {
    Dwarf_Lines* lines = nullptr;
    std::size_t count = 0;
    if (dwarf_getsrclines(&unit, &lines, &count) != 0) return nullptr;
    Dwarf_Line* found = nullptr;
    for (std::size_t i = 0; i < count; ++i) {
      Dwarf_Line* line = dwarf_onesrcline(lines, i);
      Dwarf_Addr begin = 0;
      bool ends = false;
      int here = 0;
      if (dwarf_lineaddr(line, &begin) != 0 || begin > address) break;
      dwarf_lineendsequence(line, &ends);
      if (ends) {
        found = nullptr;
      } else if (dwarf_lineno(line, &here) == 0 && here != 0) {
        found = line;
        number = here;
      }
    }
    return found;
  }

  static std::string function_name(Dwarf_Die& function) {
    Dwarf_Attribute attribute;
    const char* name = dwarf_formstring(dwarf_attr_integrate(&function, DW_AT_linkage_name, &attribute));
    if (name == nullptr) name = dwarf_diename(&function);
    return name != nullptr ? demangled(name) : std::string();
  }

  /// The compilation unit that an address belongs to. Compilers don't always write .debug_aranges (clang never does),
  /// so that it is looked for in the units themselves.
  bool find_unit(u64 address, Dwarf_Die& unit) const {
    if (dwarf_ == nullptr) return false;
    if (!has_ranges_) read_ranges();
    const auto after = std::ranges::upper_bound(ranges_, address - offset_, {}, &Range::low);
    if (after == ranges_.begin() || std::prev(after)->high <= address - offset_) return false;
    return dwarf_offdie(dwarf_, std::prev(after)->unit, &unit) != nullptr;
  }

  void read_ranges() const {
    has_ranges_ = true;
    Dwarf_CU* unit = nullptr;
    Dwarf_Die die;
    while (ranges_.size() < most_ranges && dwarf_get_units(dwarf_, unit, &unit, nullptr, nullptr, &die, nullptr) == 0) {
      Dwarf_Addr base = 0;
      Range range{.unit = dwarf_dieoffset(&die)};
      for (std::ptrdiff_t next = 0;
           ranges_.size() < most_ranges && (next = dwarf_ranges(&die, next, &base, &range.low, &range.high)) > 0;) {
        if (range.low < range.high) ranges_.push_back(range);
      }
    }
    std::ranges::sort(ranges_, [](const Range& one, const Range& other) {
      return std::tie(one.low, one.high, one.unit) < std::tie(other.low, other.high, other.unit);
    });
  }

  static constexpr int deepest = 100;
  static constexpr std::size_t most_entries = 1'000'000;  // looked at for one address
  static constexpr std::size_t most_ranges = std::size_t{1} << 20;

  std::vector<u8> contents_;
  u64 offset_;
  Elf* elf_ = nullptr;
  Dwarf* dwarf_ = nullptr;
  mutable std::vector<Range> ranges_;  // by address; read when first asked for
  mutable bool has_ranges_ = false;
};

std::string_view describe(SymbolError error) {
  switch (error) {
    case SymbolError::Unrecognised:
      return "it is neither an ELF file nor a System.map";
    case SymbolError::BadElf:
      return "its ELF tables can't be read";
    case SymbolError::NoSymbols:
      return "it names no address (stripped?)";
  }
  return "unknown";
}

SymbolTable::SymbolTable() = default;
SymbolTable::~SymbolTable() = default;
SymbolTable::SymbolTable(SymbolTable&&) noexcept = default;
SymbolTable& SymbolTable::operator=(SymbolTable&&) noexcept = default;

std::expected<void, SymbolError> SymbolTable::add(std::vector<u8> contents, u64 offset) {
  const bool is_elf = contents.size() >= 4 && std::memcmp(contents.data(), ELFMAG, SELFMAG) == 0;
  described_.clear();
  auto result = is_elf ? add_elf(std::move(contents), offset) : add_text(contents, offset);
  sort();
  return result;
}

std::expected<void, SymbolError> SymbolTable::add_text(const std::vector<u8>& contents, u64 offset) {
  std::string_view text(reinterpret_cast<const char*>(contents.data()), contents.size());
  const std::size_t before = symbols_.size();
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view digits = next_word(line);
    if (digits.empty()) continue;
    const std::string_view type = next_word(line);
    const std::string_view name = next_word(line);
    u64 address = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), address, 16);
    const bool good = parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size() && type.size() == 1;
    if (!good && first) return std::unexpected(SymbolError::Unrecognised);
    first = false;
    if (!good || is_marker(name) || type == "a" || type == "A" || type == "U") continue;
    // kallsyms shows zeroes to those who may not see addresses.
    if (address == 0) continue;
    const bool global = type.front() >= 'A' && type.front() <= 'Z';
    symbols_.push_back(
        {.address = address + offset, .rank = static_cast<u8>(global ? 0 : 1), .name = std::string(name)});
  }
  if (symbols_.size() == before) return std::unexpected(SymbolError::NoSymbols);
  return {};
}

std::expected<void, SymbolError> SymbolTable::add_elf(std::vector<u8> contents, u64 offset) {
  auto image = std::make_unique<ElfImage>(std::move(contents), offset);
  Elf* elf = image->elf();
  GElf_Ehdr header;
  if (elf == nullptr || elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) == nullptr) {
    return std::unexpected(SymbolError::BadElf);
  }
  const std::size_t before = symbols_.size();
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
    GElf_Shdr section_header;
    if (gelf_getshdr(section, &section_header) == nullptr) continue;
    if (section_header.sh_type != SHT_SYMTAB && section_header.sh_type != SHT_DYNSYM) continue;
    if (section_header.sh_entsize == 0) continue;
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr) continue;
    const u64 count = std::min<u64>(section_header.sh_size / section_header.sh_entsize, std::size_t{1} << 24);
    for (int i = 0; i < static_cast<int>(count); ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(data, i, &symbol) == nullptr) break;
      const int type = GELF_ST_TYPE(symbol.st_info);
      const bool named = type == STT_FUNC || type == STT_NOTYPE || type == STT_OBJECT || type == STT_GNU_IFUNC;
      if (!named || symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS) continue;
      const char* name = elf_strptr(elf, section_header.sh_link, symbol.st_name);
      if (name == nullptr || is_marker(name)) continue;
      const u8 type_rank = type == STT_FUNC || type == STT_GNU_IFUNC ? 0 : type == STT_OBJECT ? 2 : 4;
      const u8 rank = static_cast<u8>(type_rank + (GELF_ST_BIND(symbol.st_info) == STB_LOCAL ? 1 : 0));
      symbols_.push_back({.address = symbol.st_value + offset, .size = symbol.st_size, .rank = rank, .name = name});
    }
  }
  if (symbols_.size() == before) return std::unexpected(SymbolError::NoSymbols);
  images_.push_back(std::move(image));
  return {};
}

void SymbolTable::sort() {
  std::ranges::sort(symbols_, [](const Symbol& a, const Symbol& b) {
    return std::tie(a.address, a.rank, a.name) < std::tie(b.address, b.rank, b.name);
  });
  const auto doubles = std::ranges::unique(symbols_, {}, &Symbol::address);
  symbols_.erase(doubles.begin(), doubles.end());
}

std::string SymbolTable::describe(u64 address) const {
  if (described_.size() == most_described) described_.clear();
  const auto [known, is_new] = described_.try_emplace(address);
  if (is_new) known->second = describe_anew(address);
  return known->second;
}

std::string SymbolTable::describe_anew(u64 address) const {
  const auto after = std::ranges::upper_bound(symbols_, address, {}, &Symbol::address);
  if (after == symbols_.begin()) return {};
  const Symbol& symbol = *std::prev(after);
  const u64 distance = address - symbol.address;
  if (distance >= (symbol.size != 0 ? symbol.size : reach_limit)) return {};
  std::string text = demangled(symbol.name.c_str());
  if (distance != 0) text += fmt::format("+{:#x}", distance);
  for (const auto& image : images_) {
    const auto where = image->place(address);
    if (!where) continue;
    const std::string inlined = image->inlined(address);
    return text + fmt::format(" ({}:{}{}{})", where->file.substr(where->file.rfind('/') + 1), where->line,
                              inlined.empty() ? "" : ", inlined ", inlined);
  }
  return text;
}

std::optional<SourcePlace> SymbolTable::place(u64 address) const {
  for (const auto& image : images_) {
    if (auto where = image->place(address)) return where;
  }
  return std::nullopt;
}

}  // namespace vitrine
