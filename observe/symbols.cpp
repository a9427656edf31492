#include "observe/symbols.hpp"

#include <cxxabi.h>
#include <elfutils/libdw.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

namespace vitrine {

namespace {

/// A symbol without a size reaches at most this far, so that a stray address does not get the name of the last
/// function.
constexpr u64 reach_limit = u64{1} << 20;

std::string demangled(const char* name) {
  if (std::strncmp(name, "_Z", 2) != 0) return name;
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 && text != nullptr ? text : name;
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
    if (dwarf_ == nullptr) return std::nullopt;
    Dwarf_Die unit;
    if (dwarf_addrdie(dwarf_, address - offset_, &unit) == nullptr) return std::nullopt;
    Dwarf_Line* line = dwarf_getsrc_die(&unit, address - offset_);
    int number = 0;
    const char* file = line != nullptr ? dwarf_linesrc(line, nullptr, nullptr) : nullptr;
    if (file == nullptr || dwarf_lineno(line, &number) != 0) return std::nullopt;
    return SourcePlace{file, number};
  }

 private:
  std::vector<u8> contents_;
  u64 offset_;
  Elf* elf_ = nullptr;
  Dwarf* dwarf_ = nullptr;
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
    symbols_.push_back({.address = address + offset,
                        .rank = static_cast<u8>(global ? 0 : 1),
                        .name = demangled(std::string(name).c_str())});
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
      symbols_.push_back(
          {.address = symbol.st_value + offset, .size = symbol.st_size, .rank = rank, .name = demangled(name)});
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
  const auto after = std::ranges::upper_bound(symbols_, address, {}, &Symbol::address);
  if (after == symbols_.begin()) return {};
  const Symbol& symbol = *std::prev(after);
  const u64 distance = address - symbol.address;
  if (distance >= (symbol.size != 0 ? symbol.size : reach_limit)) return {};
  std::string text = distance == 0 ? symbol.name : fmt::format("{}+{:#x}", symbol.name, distance);
  if (const auto where = place(address)) {
    text += fmt::format(" ({}:{})", where->file.substr(where->file.rfind('/') + 1), where->line);
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
