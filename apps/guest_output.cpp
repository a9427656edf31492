#include "apps/guest_output.hpp"

#include <fmt/format.h>

namespace vitrine {

GuestOutput::GuestOutput(const std::string& serial, const std::string& debug_console, const std::string& until)
    : serial_{.matcher = TextMatcher(until)}, debug_console_{.matcher = TextMatcher(until)} {
  open(serial_, serial, "--serial");
  open(debug_console_, debug_console, "--debugcon");
}

void GuestOutput::open(Stream& stream, const std::string& where, const char* option) {
  if (where == "stdio") stream.target = &standard_output_;
  if (!where.starts_with("file:")) return;
  const std::string path = where.substr(5);
  auto file = OutputFile::create(path);
  if (!file) {
    error_ = fmt::format("{}: can't write '{}': {}", option, path, file.error());
    return;
  }
  stream.file = std::move(*file);
  stream.target = &stream.file;
}

void GuestOutput::byte_out(Channel channel, u8 byte) {
  if (channel != Channel::Com1 && channel != Channel::DebugConsole) return;
  Stream& stream = channel == Channel::Com1 ? serial_ : debug_console_;
  if (stream.target != nullptr) stream.target->write({&byte, 1});
  if (stream.target == &standard_output_) {
    if (on_print) on_print();
    line_is_open_ = byte != '\n';
  }
  if (stream.matcher.feed(byte) && !matched_) {
    matched_ = true;
    if (on_match) on_match();
  }
}

bool GuestOutput::flush() {
  for (OutputFile* file : {&standard_output_, &serial_.file, &debug_console_.file}) {
    file->flush();
    if (file->failed() && error_.empty()) {
      error_ = fmt::format("can't write what the guest prints{}: {}",
                           file == &standard_output_ ? " to standard output" : "", file->error());
    }
  }
  return error_.empty();
}

}  // namespace vitrine
