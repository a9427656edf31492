// make-trace FILE RECORDS: a made-up trace, to measure with.
#include <cstdio>
#include <cstdlib>

#include "host/file.hpp"
#include "tests/traces/made_up_trace.hpp"

namespace {

class FileSink final : public vitrine::ByteSink {
 public:
  explicit FileSink(vitrine::OutputFile& file) : file_(&file) {}
  void write(std::span<const vitrine::u8> bytes) override { file_->write(bytes); }

 private:
  vitrine::OutputFile* file_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return std::fputs("usage: make-trace FILE RECORDS\n", stderr), 64;
  auto file = vitrine::OutputFile::create(arguments[1]);
  if (!file) return std::fprintf(stderr, "make-trace: can't write '%s'\n", arguments[1]), 66;
  FileSink sink(*file);
  vitrine::write_made_up_trace(sink, std::strtoull(arguments[2], nullptr, 10));
  return file->close() ? 0 : 70;
}
