#include "observe/linux/btf.hpp"

#include <cstring>
#include <vector>

namespace vitrine {

namespace {

constexpr u16 magic = 0xEB9F;
constexpr unsigned deepest_nesting = 8;
constexpr unsigned most_members_read = 1u << 20;  // structures may nest many times in what somebody made up
constexpr std::size_t type_size = 12, member_size = 12;

enum Kind : u8 {
  kind_integer = 1,
  kind_array = 3,
  kind_struct = 4,
  kind_union = 5,
  kind_enum = 6,
  kind_function_prototype = 13,
  kind_variable = 14,
  kind_section = 15,
  kind_declaration_tag = 17,
  kind_enum64 = 19,
};

struct Type {
  std::size_t at = 0;  ///< of its struct btf_type
  u32 name = 0;
  u32 info = 0;
  [[nodiscard]] unsigned members() const { return info & 0xFFFF; }
  [[nodiscard]] unsigned kind() const { return info >> 24 & 0x1F; }
  [[nodiscard]] bool has_bit_fields() const { return info >> 31 != 0; }
};

class Reader {
 public:
  /// False: the header makes no sense.
  bool open(std::span<const u8> btf) {
    u32 length = 0;
    u32 types = 0;
    u32 types_size = 0;
    u32 strings = 0;
    u32 strings_size = 0;
    if (btf.size() < 24) return false;
    u16 found = 0;
    std::memcpy(&found, btf.data(), 2);
    const auto word = [&](std::size_t at) {
      u32 value = 0;
      std::memcpy(&value, btf.data() + at, 4);
      return value;
    };
    length = word(4);
    types = word(8);
    types_size = word(12);
    strings = word(16);
    strings_size = word(20);
    const u64 size = btf.size();
    if (found != magic || length > size || u64{length} + types + types_size > size ||
        u64{length} + strings + strings_size > size) {
      return false;
    }
    types_ = btf.subspan(length + std::size_t{types}, types_size);
    strings_ = btf.subspan(length + std::size_t{strings}, strings_size);
    return index();
  }

  [[nodiscard]] const std::vector<Type>& types() const { return index_; }
  [[nodiscard]] u32 word(std::size_t at) const {
    u32 value = 0;
    if (at <= types_.size() && types_.size() - at >= 4) std::memcpy(&value, types_.data() + at, 4);
    return value;
  }
  [[nodiscard]] bool is_called(u32 name, std::string_view text) const {
    return name < strings_.size() && strings_.size() - name > text.size() &&
           std::memcmp(strings_.data() + name, text.data(), text.size()) == 0 && strings_[name + text.size()] == 0;
  }

 private:
  /// Bytes behind a type's struct btf_type; ~0: a kind that is not known.
  static std::size_t size_behind(const Type& type) {
    switch (type.kind()) {
      case kind_integer:
      case kind_variable:
      case kind_declaration_tag:
        return 4;
      case kind_array:
        return 12;
      case kind_struct:
      case kind_union:
      case kind_section:
      case kind_enum64:
        return member_size * type.members();
      case kind_enum:
      case kind_function_prototype:
        return std::size_t{8} * type.members();
      default:
        return type.kind() <= kind_enum64 ? 0 : ~std::size_t{0};
    }
  }
  bool index() {
    index_.push_back({});  // type 0 is void
    for (std::size_t at = 0; at + type_size <= types_.size();) {
      const Type type{.at = at, .name = word(at), .info = word(at + 4)};
      const std::size_t behind = size_behind(type);
      if (behind > types_.size()) return false;
      index_.push_back(type);
      at += type_size + behind;
    }
    return true;
  }

  std::span<const u8> types_, strings_;
  std::vector<Type> index_;
};

std::optional<u32> member_offset(const Reader& reader, const Type& type, std::string_view member, unsigned depth,
                                 unsigned& members_left) {
  for (unsigned i = 0; i < type.members() && members_left != 0; ++i) {
    --members_left;
    const std::size_t at = type.at + type_size + i * member_size;
    const u32 bits = type.has_bit_fields() ? reader.word(at + 8) & 0xFFFFFF : reader.word(at + 8);
    if (reader.is_called(reader.word(at), member)) return bits / 8;
    if (!reader.is_called(reader.word(at), "") || depth == deepest_nesting) continue;
    const u32 inner = reader.word(at + 4);
    if (inner >= reader.types().size()) continue;
    const Type& nested = reader.types()[inner];
    if (nested.kind() != kind_struct && nested.kind() != kind_union) continue;
    if (const auto found = member_offset(reader, nested, member, depth + 1, members_left)) return bits / 8 + *found;
  }
  return std::nullopt;
}

}  // namespace

std::optional<u32> btf_member_offset(std::span<const u8> btf, std::string_view structure, std::string_view member) {
  Reader reader;
  if (!reader.open(btf)) return std::nullopt;
  unsigned members_left = most_members_read;
  for (const Type& type : reader.types()) {
    if (type.kind() == kind_struct && reader.is_called(type.name, structure)) {
      if (const auto found = member_offset(reader, type, member, 0, members_left)) return found;
    }
  }
  return std::nullopt;
}

}  // namespace vitrine
