// Runs a program as its users do: judged by status, standard output and standard error. A header, since each test is a
// program of its own.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

namespace vitrine::tests {

inline std::string contents_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A temporary folder, gone with all that is in it at the end.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "vitrine-test-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  /// Writes a file; its path.
  [[nodiscard]] std::filesystem::path file(const std::string& name, const std::string& contents) const {
    std::ofstream(path / name, std::ios::binary) << contents;
    return path / name;
  }
};

struct Result {
  int status = -1;  ///< -1: ended by a signal
  std::string out, err;
};

enum class Stdout { Captured, Closed, Full, ClosedPipe };
enum class Stderr { Captured, Closed, Full };

struct How {
  Stdout standard_output = Stdout::Captured;
  Stderr standard_error = Stderr::Captured;
  std::string input;             ///< given, then standard input ends
  int signal_after_ms = 0;       ///< SIGINT, once the program has printed something
  unsigned seconds_at_most = 0;  ///< then SIGALRM ends it; 0: no limit
  /// Looks at what has been printed so far; when it says true, the program is killed.
  std::function<bool(const std::string&)> enough;
};

constexpr int status_no_program = 127;

/// What the child does between fork() and exec. Does not come back.
[[noreturn]] inline void become(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  ::execvp(pointers[0], pointers.data());
  ::_exit(status_no_program);
}

inline void redirect_output(const How& how, const std::filesystem::path& out) {
  switch (how.standard_output) {
    case Stdout::Captured:
      ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
      break;
    case Stdout::Full:
      ::dup2(::open("/dev/full", O_WRONLY), 1);
      break;
    case Stdout::Closed:
      ::close(1);
      break;
    case Stdout::ClosedPipe: {
      int ends[2];
      if (::pipe(ends) != 0) ::_exit(99);
      ::dup2(ends[1], 1);
      ::close(ends[0]);
      ::close(ends[1]);
      break;
    }
  }
}

/// Runs words[0] (looked for in PATH) until it ends.
inline Result run(const std::vector<std::string>& words, const How& how = {}) {
  const Folder folder;
  const std::filesystem::path out = folder.path / "out";
  const std::filesystem::path err = folder.path / "err";
  const std::filesystem::path in = folder.file("in", how.input);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open(in.c_str(), O_RDONLY), 0);
    const bool full = how.standard_error == Stderr::Full;
    ::dup2(full ? ::open("/dev/full", O_WRONLY) : ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
    if (how.standard_error == Stderr::Closed) ::close(2);
    redirect_output(how, out);
    if (how.seconds_at_most != 0) ::alarm(how.seconds_at_most);
    become(words);
  }
  int status = 0;
  if (how.signal_after_ms != 0) {
    while (contents_of(out).empty()) ::poll(nullptr, 0, 5);
    ::poll(nullptr, 0, how.signal_after_ms);
    ::kill(child, SIGINT);
  }
  if (how.enough) {
    while (::waitpid(child, &status, WNOHANG) == 0) {
      if (how.enough(contents_of(out))) {
        ::kill(child, SIGKILL);
        ::waitpid(child, &status, 0);
        break;
      }
      ::poll(nullptr, 0, 20);
    }
  } else {
    ::waitpid(child, &status, 0);
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents_of(out), contents_of(err)};
}

}  // namespace vitrine::tests
