// Text with places: format(sink, "irq {} at {:#x}", number, address).
//
// A place is {} or {:[0][#][width][x]}: 0 fills with zeros, # writes 0x before hexadecimal, x means hexadecimal.
// Integers, bool, char, pointers, C strings and string_view. No allocation; too few arguments print "{?}".
#pragma once

#include <concepts>
#include <span>
#include <string_view>

#include "kernel/core/types.hpp"

namespace pulse {

/// Takes characters, one after the other.
class TextSink {
 public:
  virtual void put(char character) = 0;
  void put(std::string_view text) {
    for (const char character : text) put(character);
  }

 protected:
  ~TextSink() = default;
};

/// Fills a buffer and drops what does not fit.
class BufferSink final : public TextSink {
 public:
  explicit BufferSink(std::span<char> buffer) : buffer_(buffer) {}
  using TextSink::put;
  void put(char character) override {
    if (length_ < buffer_.size()) buffer_[length_++] = character;
  }
  [[nodiscard]] std::string_view text() const { return {buffer_.data(), length_}; }

 private:
  std::span<char> buffer_;
  std::size_t length_ = 0;
};

struct FormatArgument {
  enum class Kind : u8 { Unsigned, Signed, Character, Text } kind;
  u64 number = 0;
  std::string_view text;

  FormatArgument(char character) : kind(Kind::Character), number(static_cast<u8>(character)) {}
  FormatArgument(bool fact) : kind(Kind::Text), text(fact ? "true" : "false") {}
  FormatArgument(std::unsigned_integral auto value) : kind(Kind::Unsigned), number(value) {}
  FormatArgument(std::signed_integral auto value) : kind(Kind::Signed), number(static_cast<u64>(i64{value})) {}
  FormatArgument(std::string_view value) : kind(Kind::Text), text(value) {}
  FormatArgument(const char* value) : kind(Kind::Text), text(value != nullptr ? value : "(null)") {}
  FormatArgument(const void* value) : kind(Kind::Unsigned), number(reinterpret_cast<u64>(value)) {}
};

void format_arguments(TextSink& sink, std::string_view text, std::span<const FormatArgument> arguments);

template <class... Arguments>
void format(TextSink& sink, std::string_view text, const Arguments&... arguments) {
  if constexpr (sizeof...(arguments) == 0) {
    format_arguments(sink, text, {});
  } else {
    const FormatArgument list[] = {FormatArgument(arguments)...};
    format_arguments(sink, text, list);
  }
}

}  // namespace pulse
