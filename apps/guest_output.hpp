// Where the bytes go that leave the machine, and the eye on them that looks for --until's text.
#pragma once

#include <functional>
#include <string>

#include "apps/text_matcher.hpp"
#include "host/file.hpp"
#include "machine/core/outside.hpp"

namespace vitrine {

class GuestOutput final : public Outputs {
 public:
  /// `serial` and `debug_console`: "stdio", "none" or "file:PATH". On failure `open_error` tells.
  GuestOutput(const std::string& serial, const std::string& debug_console, const std::string& until);

  void byte_out(Channel channel, u8 byte) override;
  /// Hands on what was printed. False if it could not be.
  bool flush();
  /// Called once, when --until's text was printed.
  std::function<void()> on_match;

  /// Called before anything is printed on standard output.
  std::function<void()> on_print;

  [[nodiscard]] bool matched() const { return matched_; }
  /// The last line on standard output has no end yet.
  [[nodiscard]] bool line_is_open() const { return line_is_open_; }
  /// Empty, or the sentence that says which output failed and why.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  struct Stream {
    OutputFile file;
    OutputFile* target = nullptr;
    TextMatcher matcher;
  };
  void open(Stream& stream, const std::string& where, const char* option);

  OutputFile standard_output_ = OutputFile::standard_output();
  Stream serial_, debug_console_;
  std::string error_;
  bool matched_ = false;
  bool line_is_open_ = false;
};

}  // namespace vitrine
