#include "observe/linux/kallsyms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace vitrine {

namespace {

constexpr u64 fewest_symbols = 256, most_symbols = u64{1} << 22;
constexpr unsigned tokens = 256;
constexpr std::size_t largest_range = std::size_t{256} << 20;
/// All names of a kernel: compressed about 10 bytes each.
constexpr std::size_t largest_names = std::size_t{64} << 20;
constexpr unsigned symbols_per_marker = 256;
// Memory that was made to look like the tables again and again must not hold us up.
constexpr unsigned most_token_tables = 4096;
constexpr u64 most_names_read = u64{1} << 26;
constexpr std::size_t largest_text = std::size_t{64} << 20;

u64 round_up(u64 value, u64 alignment) { return (value + alignment - 1) / alignment * alignment; }

/// The kernel's range as bytes; what can't be read is zero. All positions below count from its begin.
class Image {
 public:
  Image(const GuestView& memory, const KernelRange& range) : width_(range.pointer_size) {
    bytes_.resize(std::min<u64>(range.end - range.begin, largest_range));
    constexpr std::size_t page = 4096;
    for (std::size_t at = 0; at < bytes_.size(); at += page) {
      const std::span<u8> into = std::span(bytes_).subspan(at, std::min(page, bytes_.size() - at));
      if (!memory.read(range.begin + at, into)) std::ranges::fill(into, u8{0});
    }
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] u64 width() const { return width_; }
  /// 0 behind the end.
  [[nodiscard]] u64 number(u64 at, unsigned size) const {
    u64 value = 0;
    if (at > bytes_.size() || bytes_.size() - at < size) return 0;
    std::memcpy(&value, bytes_.data() + at, size);
    return value;
  }
  [[nodiscard]] bool holds(u64 at, u64 size) const { return at <= bytes_.size() && size <= bytes_.size() - at; }
  [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }
  [[nodiscard]] u8 operator[](u64 at) const { return at < bytes_.size() ? bytes_[at] : u8{0}; }

 private:
  std::vector<u8> bytes_;
  unsigned width_;
};

/// kallsyms_token_table and kallsyms_token_index: what each byte of a compressed name stands for.
struct Tokens {
  u64 table = 0, index = 0;
  std::array<std::string, tokens> text;
};

/// `digits` is the position of the tokens "0", "1" .. "9", which stand for themselves: every kernel has names with
/// them.
std::optional<Tokens> tokens_around(const Image& image, u64 digits) {
  // Forwards to the index behind the table, which tells how far the table's begin lies back.
  u64 at = digits;
  for (unsigned token = '0'; token < tokens; ++token) {
    const std::size_t end = image.text().find('\0', at);
    if (end == std::string_view::npos || end - at > 512) return std::nullopt;
    at = end + 1;
  }
  for (const u64 alignment : {u64{8}, u64{4}, u64{2}}) {
    Tokens found{.index = round_up(at, alignment)};
    const u64 before_digits = image.number(found.index + '0' * 2, 2);
    if (before_digits == 0 || before_digits > digits) continue;
    found.table = digits - before_digits;
    u64 token_at = found.table;
    bool good = true;
    for (unsigned token = 0; token < tokens && good; ++token) {
      good = image.number(found.index + token * 2, 2) == token_at - found.table;
      const std::size_t end = image.text().find('\0', token_at);
      good = good && end != std::string_view::npos && end < found.index;
      if (!good) break;
      found.text[token] = image.text().substr(token_at, end - token_at);
      token_at = end + 1;
    }
    if (good) return found;
  }
  return std::nullopt;
}

std::optional<Tokens> find_tokens(const Image& image) {
  constexpr std::string_view digits("0\0001\0002\0003\0004\0005\0006\0007\0008\0009\0", 20);
  std::size_t at = image.text().find(digits);
  for (unsigned tried = 0; at != std::string_view::npos && tried < most_token_tables; ++tried) {
    if (auto found = tokens_around(image, at)) return found;
    at = image.text().find(digits, at + 1);
  }
  return std::nullopt;
}

/// How kallsyms_names writes the length of a name: one byte, or two where the first has bit 7 (Linux 6.1).
enum class Lengths : u8 { Byte, ByteOrTwo };

/// A name's extent; false if it makes no sense.
bool name_at(const Image& image, u64 at, Lengths lengths, u64& first, u64& length) {
  length = image[at];
  first = at + 1;
  if (lengths == Lengths::ByteOrTwo && (length & 0x80) != 0) {
    length = (length & 0x7F) | u64{image[at + 1]} << 7;
    ++first;
  }
  return length != 0 && length < 2048 && image.holds(first, length);
}

struct Names {
  u64 number_at = 0;  ///< of kallsyms_num_syms
  u64 count = 0;
  u64 first = 0;  ///< of kallsyms_names
  Lengths lengths{};
};

/// Is kallsyms_markers behind the names, with the position of every 256th name?
bool has_markers(const Image& image, u64 names_begin, u64 names_end, const std::vector<u64>& marks) {
  for (const unsigned size : {4u, 8u}) {
    const u64 at = round_up(names_end, image.width());
    bool good = image.holds(at, marks.size() * size);
    for (std::size_t i = 0; i < marks.size() && good; ++i) {
      good = image.number(at + i * size, size) == marks[i] - names_begin;
    }
    if (good) return true;
  }
  return false;
}

/// `names_left` counts down what may still be read.
bool names_make_sense(const Image& image, const Tokens& tokens_found, const Names& names, u64& names_left) {
  std::vector<u64> marks;
  u64 at = names.first;
  for (u64 i = 0; i < names.count; ++i) {
    if (names_left == 0) return false;
    --names_left;
    if (i % symbols_per_marker == 0) marks.push_back(at);
    u64 first = 0;
    u64 length = 0;
    if (!name_at(image, at, names.lengths, first, length)) return false;
    const std::string& start = tokens_found.text[image[first]];
    if (i < 64 &&
        (start.empty() || std::string_view("aAbBcCdDgGnNrRsStTuUvVwW-?iI").find(start[0]) == std::string_view::npos)) {
      return false;
    }
    at = first + length;
    if (at - names.first > largest_names) return false;
  }
  return has_markers(image, names.first, at, marks);
}

/// kallsyms_num_syms and kallsyms_names stand before the tokens; what stands between them differs among versions.
std::optional<Names> find_names(const Image& image, const Tokens& tokens_found) {
  const u64 width = image.width();
  u64 names_left = most_names_read;
  for (u64 at = tokens_found.table / width * width; at >= width && names_left != 0;) {
    at -= width;
    const u64 count = image.number(at, 4);
    if (count < fewest_symbols || count > most_symbols || count > tokens_found.table - at) continue;
    for (const Lengths lengths : {Lengths::ByteOrTwo, Lengths::Byte}) {
      const Names names{.number_at = at, .count = count, .first = at + width, .lengths = lengths};
      if (names_make_sense(image, tokens_found, names, names_left)) return names;
    }
  }
  return std::nullopt;
}

/// A table that addresses may stand in.
struct Addresses {
  u64 table = 0;
  u64 base_at = 0;  ///< of kallsyms_relative_base; 0: the table holds addresses, not offsets
};

/// Where addresses stand from Linux 4.6 on, behind the tokens from 6.4 on, and as whole pointers before 4.6.
std::vector<Addresses> address_tables(const Image& image, const Tokens& tokens_found, const Names& names) {
  const u64 width = image.width();
  const u64 offsets = round_up(names.count * 4, width);
  std::vector<Addresses> possible;
  if (names.number_at >= offsets + width) {
    possible.push_back({names.number_at - width - offsets, names.number_at - width});
  }
  for (const u64 alignment : {u64{8}, u64{4}}) {
    const u64 behind = round_up(tokens_found.index + tokens * 2, alignment);
    possible.push_back({behind, round_up(behind + names.count * 4, alignment)});
  }
  if (names.number_at >= names.count * width) possible.push_back({names.number_at - names.count * width, 0});
  return possible;
}

/// The symbols' addresses; empty if they do not ascend, or most are not of this kernel.
std::vector<u64> read_addresses(const Image& image, const KernelRange& range, u64 count, const Addresses& table) {
  const u64 width = image.width();
  if (!image.holds(table.table, count * (table.base_at == 0 ? width : 4))) return {};
  const u64 base = table.base_at == 0 ? 0 : image.number(table.base_at, static_cast<unsigned>(width));
  u64 negative = 0;
  for (u64 i = 0; i < count && table.base_at != 0; ++i) negative += image.number(table.table + i * 4, 4) >> 31;
  // CONFIG_KALLSYMS_ABSOLUTE_PERCPU: only negative offsets count from the base.
  const bool absolute_per_cpu = negative * 2 > count;
  std::vector<u64> found;
  found.reserve(count);
  u64 inside = 0;
  u64 last = 0;
  for (u64 i = 0; i < count; ++i) {
    u64 address = 0;
    if (table.base_at == 0) {
      address = image.number(table.table + i * width, static_cast<unsigned>(width));
    } else {
      const auto offset = static_cast<i32>(image.number(table.table + i * 4, 4));
      address = !absolute_per_cpu ? base + static_cast<u32>(offset)
                : offset >= 0     ? static_cast<u64>(offset)
                                  : base - 1 - static_cast<u64>(static_cast<i64>(offset));
    }
    if (width == 4) address = static_cast<u32>(address);
    if (address < last) return {};
    last = address;
    inside += address >= range.begin && address < range.end ? 1 : 0;
    found.push_back(address);
  }
  if (inside * 4 < count * 3) found.clear();
  return found;
}

}  // namespace

std::optional<KernelSymbols> KernelSymbols::find(const GuestView& memory, const KernelRange& range) {
  if (range.end <= range.begin) return std::nullopt;
  const Image image(memory, range);
  const std::optional<Tokens> tokens_found = find_tokens(image);
  if (!tokens_found) return std::nullopt;
  const std::optional<Names> names = find_names(image, *tokens_found);
  if (!names) return std::nullopt;
  std::vector<u64> addresses;
  for (const Addresses& table : address_tables(image, *tokens_found, *names)) {
    addresses = read_addresses(image, range, names->count, table);
    if (!addresses.empty()) break;
  }
  if (addresses.empty()) return std::nullopt;

  KernelSymbols found;
  u64 at = names->first;
  std::size_t text_size = 0;
  for (const u64 address : addresses) {
    u64 first = 0;
    u64 length = 0;
    if (!name_at(image, at, names->lengths, first, length)) return std::nullopt;
    at = first + length;
    if (address < range.begin || address >= range.end) continue;
    std::string text;
    for (u64 i = 0; i < length && text.size() < 1024; ++i) text += tokens_found->text[image[first + i]];
    if (text.size() < 2) continue;
    text_size += text.size();
    if (text_size > largest_text) return std::nullopt;
    found.symbols_.push_back({address, text[0], text.substr(1)});
  }
  return found;
}

u64 KernelSymbols::address_of(std::string_view name) const {
  const auto found = std::ranges::find(symbols_, name, &Symbol::name);
  return found == symbols_.end() ? 0 : found->address;
}

namespace {
void put_line(std::string& text, const KernelSymbols::Symbol& symbol) {
  fmt::format_to(std::back_inserter(text), "{:016x} {} {}\n", symbol.address, symbol.type, symbol.name);
}
}  // namespace

std::string KernelSymbols::map_text() const {
  std::string text;
  for (const Symbol& symbol : symbols_) put_line(text, symbol);
  return text;
}

std::string KernelSymbols::map_text_of(const std::vector<u64>& addresses) const {
  std::string text;
  u64 done = 0;  // the address of the symbols that were written last
  for (const u64 address : addresses) {
    const auto behind = std::ranges::upper_bound(symbols_, address, {}, &Symbol::address);
    if (behind == symbols_.begin()) continue;
    const u64 start = std::prev(behind)->address;
    if (start == done) continue;
    done = start;
    for (auto same = std::ranges::lower_bound(symbols_, start, {}, &Symbol::address); same != behind; ++same) {
      put_line(text, *same);
    }
  }
  return text;
}

}  // namespace vitrine
