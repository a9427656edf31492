#include "kernel/core/format.hpp"

namespace pulse {

namespace {

struct Place {
  bool zeros = false, prefix = false, hexadecimal = false;
  unsigned width = 0;
};

Place parse(std::string_view text) {
  Place place;
  for (const char character : text) {
    if (character == '0' && place.width == 0) {
      place.zeros = true;
    } else if (character >= '0' && character <= '9') {
      place.width = place.width * 10 + static_cast<unsigned>(character - '0');
    } else if (character == '#') {
      place.prefix = true;
    } else if (character == 'x') {
      place.hexadecimal = true;
    }
  }
  return place;
}

void fill(TextSink& sink, char with, std::size_t used, unsigned width) {
  for (std::size_t i = used; i < width; ++i) sink.put(with);
}

void put_number(TextSink& sink, const Place& place, u64 value, bool negative) {
  char digits[20];
  std::size_t count = 0;
  const u64 base = place.hexadecimal ? 16 : 10;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  const std::string_view before = negative ? "-" : place.prefix && place.hexadecimal ? "0x" : "";
  if (!place.zeros) fill(sink, ' ', count + before.size(), place.width);
  sink.put(before);
  if (place.zeros) fill(sink, '0', count + before.size(), place.width);
  while (count > 0) sink.put(digits[--count]);
}

void put_argument(TextSink& sink, const Place& place, const FormatArgument& argument) {
  switch (argument.kind) {
    case FormatArgument::Kind::Unsigned:
      return put_number(sink, place, argument.number, false);
    case FormatArgument::Kind::Signed: {
      const bool negative = static_cast<i64>(argument.number) < 0 && !place.hexadecimal;
      return put_number(sink, place, negative ? 0 - argument.number : argument.number, negative);
    }
    case FormatArgument::Kind::Character:
      return sink.put(static_cast<char>(argument.number));
    case FormatArgument::Kind::Text:
      sink.put(argument.text);
      return fill(sink, ' ', argument.text.size(), place.width);
  }
}

}  // namespace

void format_arguments(TextSink& sink, std::string_view text, std::span<const FormatArgument> arguments) {
  std::size_t next = 0;
  while (!text.empty()) {
    if (text.starts_with("{{") || text.starts_with("}}")) {
      sink.put(text[0]);
      text.remove_prefix(2);
      continue;
    }
    const std::size_t end = text[0] == '{' ? text.find('}') : std::string_view::npos;
    if (end == std::string_view::npos) {
      sink.put(text[0]);
      text.remove_prefix(1);
      continue;
    }
    if (next < arguments.size()) {
      put_argument(sink, parse(text.substr(1, end - 1)), arguments[next++]);
    } else {
      sink.put("{?}");
    }
    text.remove_prefix(end + 1);
  }
}

}  // namespace pulse
