#include "host/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace vitrine {

namespace {

constexpr std::size_t buffer_size = 65536;
constexpr std::size_t input_buffer_size = std::size_t{1} << 20;
constexpr u64 whole_file_limit = u64{16} << 30;

std::string clause_of(int error) {
  switch (error) {
    case ENOENT:
      return "there is no such file";
    case EACCES:
    case EPERM:
      return "permission denied";
    case EISDIR:
      return "it is a directory";
    case ENOSPC:
    case EDQUOT:
      return "the disk is full";
    case EPIPE:
      return "nobody reads it any more (closed pipe)";
    case EBADF:
      return "it is closed";
    case EROFS:
      return "the file system is read-only";
    case ENOTDIR:
      return "a part of the path is not a directory";
    default:
      return std::strerror(error);
  }
}

struct Descriptor {
  int number;
  explicit Descriptor(int opened) : number(opened) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

}  // namespace

std::expected<std::vector<u8>, FileError> read_file(const std::string& path, u64 limit) {
  using Kind = FileError::Kind;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number < 0) return std::unexpected(FileError{Kind::CannotOpen, 0, clause_of(errno)});
  struct stat status{};
  if (::fstat(file.number, &status) != 0) return std::unexpected(FileError{Kind::ReadFailed, 0, clause_of(errno)});
  if (S_ISDIR(status.st_mode)) return std::unexpected(FileError{Kind::Directory, 0, clause_of(EISDIR)});
  const u64 size = static_cast<u64>(std::max<off_t>(status.st_size, 0));
  if (size > limit) return std::unexpected(FileError{Kind::TooLarge, size, "it is too large"});
  std::vector<u8> contents;
  contents.reserve(static_cast<std::size_t>(size));
  // A pipe or device tells no size: it is read until it ends, or becomes too large.
  for (;;) {
    const std::size_t before = contents.size();
    const std::size_t step =
        std::max<std::size_t>(before < size ? static_cast<std::size_t>(size) - before : 0, buffer_size);
    contents.resize(before + step);
    const ssize_t got = ::read(file.number, contents.data() + before, step);
    contents.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(FileError{Kind::ReadFailed, 0, clause_of(errno)});
    if (got == 0) return contents;
    if (contents.size() > limit) return std::unexpected(FileError{Kind::TooLarge, contents.size(), "it is too large"});
  }
}

std::expected<InputFile, FileError> InputFile::open(const std::string& path) {
  using Kind = FileError::Kind;
  InputFile file;
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file.descriptor_ < 0) return std::unexpected(FileError{Kind::CannotOpen, 0, clause_of(errno)});
  struct stat status{};
  if (::fstat(file.descriptor_, &status) != 0) {
    return std::unexpected(FileError{Kind::ReadFailed, 0, clause_of(errno)});
  }
  if (S_ISREG(status.st_mode)) {
    file.size_ = static_cast<u64>(status.st_size);
    return file;
  }
  auto contents = read_file(path, whole_file_limit);
  if (!contents) return std::unexpected(contents.error());
  file.buffer_ = std::move(*contents);
  file.size_ = file.buffer_.size();
  return file;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      buffer_at_(other.buffer_at_),
      buffer_(std::move(other.buffer_)) {}

std::span<const u8> InputFile::read(u64 offset, std::size_t count) {
  if (offset >= size_) return {};
  count = static_cast<std::size_t>(std::min<u64>(count, size_ - offset));
  if (offset < buffer_at_ || offset + count > buffer_at_ + buffer_.size()) {
    buffer_.resize(static_cast<std::size_t>(std::min<u64>(std::max(count, input_buffer_size), size_ - offset)));
    buffer_at_ = offset;
    std::size_t done = 0;
    while (done < buffer_.size()) {
      const ssize_t got =
          ::pread(descriptor_, buffer_.data() + done, buffer_.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
    }
    buffer_.resize(done);
  }
  return std::span<const u8>(buffer_)
      .subspan(static_cast<std::size_t>(offset - buffer_at_))
      .first(std::min<std::size_t>(count, buffer_.size() - static_cast<std::size_t>(offset - buffer_at_)));
}

bool is_same_file(const std::string& one, const std::string& other) {
  struct stat first{};
  struct stat second{};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

bool file_is_there(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0;
}

std::string program_folder() {
  std::error_code problem;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", problem);
  return program.parent_path().string();
}

std::expected<void, std::string> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) == 0) return {};
  if (errno == ENOENT) return std::unexpected("the directory that it would be in does not exist");
  if (errno != EEXIST) return std::unexpected(clause_of(errno));
  std::error_code problem;
  const bool is_directory = std::filesystem::is_directory(path, problem);
  if (!is_directory) return std::unexpected("it exists and is not a directory");
  if (!std::filesystem::is_empty(path, problem) || problem) return std::unexpected("it is not empty");
  return {};
}

OutputFile::~OutputFile() { close(); }

OutputFile::OutputFile(OutputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      owned_(std::exchange(other.owned_, false)),
      buffer_(std::move(other.buffer_)),
      error_(std::move(other.error_)),
      reader_left_(other.reader_left_) {
  other.buffer_.clear();
}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  if (this == &other) return *this;
  close();
  descriptor_ = std::exchange(other.descriptor_, -1);
  owned_ = std::exchange(other.owned_, false);
  buffer_ = std::move(other.buffer_);
  error_ = std::move(other.error_);
  reader_left_ = other.reader_left_;
  other.buffer_.clear();
  return *this;
}

std::expected<OutputFile, std::string> OutputFile::create(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return std::unexpected(errno == ENOENT ? "its directory does not exist" : clause_of(errno));
  return OutputFile(descriptor, true);
}

std::expected<OutputFile, std::string> OutputFile::create_unique(std::string& path, unsigned mode) {
  const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(errno == ENOENT ? "its directory does not exist" : clause_of(errno));
  ::fchmod(descriptor, mode);
  return OutputFile(descriptor, true);
}

OutputFile OutputFile::standard_output() { return {STDOUT_FILENO, false}; }
OutputFile OutputFile::standard_error() { return {STDERR_FILENO, false}; }

void OutputFile::write(std::span<const u8> bytes) {
  if (failed() || descriptor_ < 0) return;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() >= buffer_size) flush();
}

void OutputFile::flush() {
  std::size_t done = 0;
  while (done < buffer_.size() && !failed()) {
    const ssize_t wrote = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (wrote >= 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (errno == EAGAIN) {
      // Somebody made the terminal non-blocking: wait, as a blocking write would.
      pollfd wait{.fd = descriptor_, .events = POLLOUT, .revents = 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      reader_left_ = errno == EPIPE;
      error_ = clause_of(errno);
    }
  }
  buffer_.clear();
}

bool OutputFile::sync() {
  flush();
  if (!failed() && descriptor_ >= 0 && ::fsync(descriptor_) != 0 && errno != EINVAL) error_ = clause_of(errno);
  return !failed();
}

bool OutputFile::close() {
  if (descriptor_ < 0) return !failed();
  flush();
  const int descriptor = std::exchange(descriptor_, -1);
  // Network file systems tell of a full disk only here.
  if (owned_ && ::close(descriptor) != 0 && !failed()) error_ = clause_of(errno);
  return !failed();
}

std::expected<ReplacementFile, std::string> ReplacementFile::create(const std::string& path) {
  struct stat status{};
  const bool is_there = ::stat(path.c_str(), &status) == 0;
  if (is_there && S_ISDIR(status.st_mode)) return std::unexpected(clause_of(EISDIR));
  // A link stays one: what it leads to is replaced.
  std::error_code problem;
  const std::filesystem::path real = is_there ? std::filesystem::canonical(path, problem) : std::filesystem::path(path);
  const bool replaces = !is_there || S_ISREG(status.st_mode);
  const std::string target = problem ? path : real.string();
  std::string written = replaces ? target + ".new-XXXXXX" : std::string();
  if (is_there && replaces && ::access(target.c_str(), W_OK) != 0) return std::unexpected(clause_of(errno));
  const mode_t masked = ::umask(0);
  ::umask(masked);
  auto file = replaces ? OutputFile::create_unique(written, is_there ? status.st_mode & 07777 : 0666 & ~masked)
                       : OutputFile::create(target);
  if (!file) return std::unexpected(file.error());
  return ReplacementFile(target, std::move(written), std::move(*file));
}

ReplacementFile::~ReplacementFile() {
  if (!written_.empty()) ::unlink(written_.c_str());
}

ReplacementFile::ReplacementFile(ReplacementFile&& other) noexcept
    : path_(std::move(other.path_)), written_(std::exchange(other.written_, {})), file_(std::move(other.file_)) {}

std::expected<void, std::string> ReplacementFile::finish() {
  const bool is_complete = (written_.empty() || file_.sync()) && file_.close();
  if (!is_complete) return std::unexpected(file_.error());
  if (written_.empty()) return {};
  const std::string written = std::exchange(written_, {});
  if (::rename(written.c_str(), path_.c_str()) != 0) {
    return std::unexpected(fmt::format("{}; all of it is in '{}'", clause_of(errno), written));
  }
  // The new name is on the disk when its directory is.
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const int directory = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return {};
  ::fsync(directory);
  ::close(directory);
  return {};
}

void prepare_standard_streams() {
  std::signal(SIGPIPE, SIG_IGN);
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // open() takes the lowest free number, which is this one. Opened the wrong way round, so that using it is still an
    // error that can be told.
    const int occupied = ::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (occupied < 0) return;
  }
}

}  // namespace vitrine
