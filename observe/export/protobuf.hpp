// The wire format of Protocol Buffers, as far as a writer needs it.
//
// Source: "Encoding" in the Protocol Buffers documentation: a field is the varint (number << 3 | wire type), then a
// varint (type 0), eight bytes (type 1), or a varint length and as many bytes (type 2).
#pragma once

#include <string>
#include <string_view>

#include "base/types.hpp"

namespace vitrine {

/// A message in the making. Fields stand in the order of the calls.
class ProtobufMessage {
 public:
  void varint(u32 field, u64 value) {
    put(u64{field} << 3);
    put(value);
  }
  void fixed64(u32 field, u64 value) {
    put(u64{field} << 3 | 1);
    for (unsigned i = 0; i < 8; ++i) bytes_ += static_cast<char>(value >> (8 * i));
  }
  void bytes(u32 field, std::string_view value) {
    put(u64{field} << 3 | 2);
    put(value.size());
    bytes_ += value;
  }
  void message(u32 field, const ProtobufMessage& value) { bytes(field, value.bytes_); }

  [[nodiscard]] std::string_view view() const { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  void clear() { bytes_.clear(); }

 private:
  void put(u64 value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

}  // namespace vitrine
