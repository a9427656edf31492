// Runs the command in a folder of the test's own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "host/file.hpp"
#include "tests/traces/made_up_trace.hpp"

namespace vitrine {

class TraceCommand : public testing::Test {
 protected:
  struct Result {
    int status = -1;  ///< -1: ended by a signal
    std::string out, err;
    long most_memory_kib = 0;
  };

  TraceCommand() {
    std::string name = std::filesystem::temp_directory_path() / "vitrine-traces-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~TraceCommand() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

  Result run(std::vector<std::string> words, const std::string& output = "") {
    const std::string out = output.empty() ? path("out") : output;
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
      ::dup2(::open(path("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
      std::vector<char*> pointers;
      for (std::string& word : words) pointers.push_back(word.data());
      pointers.push_back(nullptr);
      ::execv(pointers[0], pointers.data());
      ::_exit(98);
    }
    int status = 0;
    rusage usage{};
    ::wait4(child, &status, 0, &usage);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output.empty() ? contents(out) : "", contents(path("err")),
            usage.ru_maxrss};
  }
  Result vitrine(std::vector<std::string> words, const std::string& output = "") {
    words.insert(words.begin(), VITRINE_COMMAND);
    return run(std::move(words), output);
  }

  static std::string contents(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  MadeUpCounts make_trace(const std::string& file, u64 records) {
    class FileSink final : public ByteSink {
     public:
      explicit FileSink(OutputFile& to) : to_(&to) {}
      void write(std::span<const u8> bytes) override { to_->write(bytes); }

     private:
      OutputFile* to_;
    };
    auto out = OutputFile::create(file);
    EXPECT_TRUE(out.has_value());
    FileSink sink(*out);
    const MadeUpCounts counts = write_made_up_trace(sink, records);
    EXPECT_TRUE(out->close());
    return counts;
  }

  std::filesystem::path folder_;
};

}  // namespace vitrine
