// The end: last words, and the machine stops.
#pragma once

#include <string_view>

#include "kernel/core/format.hpp"

namespace pulse {

struct Frame;

[[noreturn]] void panic_with(const Frame* frame, std::string_view text, std::span<const FormatArgument> arguments);

template <class... Arguments>
[[noreturn]] void panic(std::string_view text, const Arguments&... arguments) {
  const FormatArgument list[] = {FormatArgument(arguments)..., FormatArgument(0u)};
  panic_with(nullptr, text, {list, sizeof...(arguments)});
}
/// The same with the registers of where it happened.
template <class... Arguments>
[[noreturn]] void panic_at(const Frame& frame, std::string_view text, const Arguments&... arguments) {
  const FormatArgument list[] = {FormatArgument(arguments)..., FormatArgument(0u)};
  panic_with(&frame, text, {list, sizeof...(arguments)});
}

}  // namespace pulse
