// Files: reading one whole, and writing one (or standard output) without ever crashing on a full disk or a closed pipe.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

/// What went wrong with a file: a kind for exit statuses, and the clause for people ("there is no such file").
struct FileError {
  enum class Kind : u8 { CannotOpen, Directory, TooLarge, ReadFailed };
  Kind kind{};
  u64 size = 0;  ///< of the file, for TooLarge
  std::string clause;
};

/// The contents of the file. At most `limit` bytes; an empty file is no error.
[[nodiscard]] std::expected<std::vector<u8>, FileError> read_file(const std::string& path, u64 limit);

/// A file that is read piece by piece. What has no size of its own (a pipe) is read whole when it is opened.
class InputFile {
 public:
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  [[nodiscard]] static std::expected<InputFile, FileError> open(const std::string& path);
  [[nodiscard]] u64 size() const { return size_; }
  /// The `count` bytes from `offset` on; fewer where the file ends or can't be read. Valid until the next call.
  [[nodiscard]] std::span<const u8> read(u64 offset, std::size_t count);

 private:
  InputFile() = default;

  int descriptor_ = -1;
  u64 size_ = 0;
  u64 buffer_at_ = 0;  // offset of buffer_ in the file
  std::vector<u8> buffer_;
};

/// Do both paths lead to the same file, which is there?
[[nodiscard]] bool is_same_file(const std::string& one, const std::string& other);

/// Is there something at this path?
[[nodiscard]] bool file_is_there(const std::string& path);
/// The folder of the program that runs; empty if the system doesn't say.
[[nodiscard]] std::string program_folder();

/// Makes a directory, or takes one that is there and empty; else the clause for people.
[[nodiscard]] std::expected<void, std::string> make_directory(const std::string& path);

/// Buffered output to a file descriptor. The first failure is kept, and everything after it is dropped.
class OutputFile {
 public:
  OutputFile() = default;
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;

  /// Creates or empties the file; on failure the clause for people.
  [[nodiscard]] static std::expected<OutputFile, std::string> create(const std::string& path);
  /// A file that was not there: the last six characters of `path`, XXXXXX, become others. Rights as `mode` says.
  [[nodiscard]] static std::expected<OutputFile, std::string> create_unique(std::string& path, unsigned mode);
  [[nodiscard]] static OutputFile standard_output();
  [[nodiscard]] static OutputFile standard_error();

  void write(std::span<const u8> bytes);
  void write(std::string_view text) { write({reinterpret_cast<const u8*>(text.data()), text.size()}); }
  void flush();
  /// Has what was written put on the disk. False if anything was lost.
  bool sync();
  /// Flushes, and closes what create() opened. False if anything was lost.
  bool close();
  [[nodiscard]] bool failed() const { return !error_.empty(); }
  /// The clause for people: "the disk is full".
  [[nodiscard]] const std::string& error() const { return error_; }
  /// It failed because nobody reads the pipe any more: `vitrine show TRACE | head`.
  [[nodiscard]] bool reader_left() const { return reader_left_; }

 private:
  OutputFile(int descriptor, bool owned) : descriptor_(descriptor), owned_(owned) {}

  int descriptor_ = -1;
  bool owned_ = false;
  std::vector<u8> buffer_;
  std::string error_;
  bool reader_left_ = false;
};

/// A file that appears, or takes the place of the one that is there, only when it is complete and on the disk: until
/// finish() it has a name of its own beside it, which goes if nobody finishes. Where it can't get its name in the end,
/// it stays, and the clause says where.
class ReplacementFile {
 public:
  ~ReplacementFile();
  ReplacementFile(ReplacementFile&& other) noexcept;
  ReplacementFile& operator=(ReplacementFile&&) = delete;

  /// What is no regular file (a pipe, a device) is written directly. On failure the clause for people.
  [[nodiscard]] static std::expected<ReplacementFile, std::string> create(const std::string& path);
  void write(std::span<const u8> bytes) { file_.write(bytes); }
  [[nodiscard]] std::expected<void, std::string> finish();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  ReplacementFile(std::string path, std::string written, OutputFile file)
      : path_(std::move(path)), written_(std::move(written)), file_(std::move(file)) {}

  std::string path_;
  std::string written_;  // empty: nothing is to be renamed or removed
  OutputFile file_;
};

/// To be called first in main(): a closed descriptor 0, 1 or 2 gets occupied, so that no file that we open later
/// becomes "standard output"; writing to a closed pipe becomes an error instead of a signal.
void prepare_standard_streams();

}  // namespace vitrine
