// Pulse's paths do not get longer unseen: instructions from a cause to its effect (user/measure/path_lengths.cpp),
// counted on Vitrine, and at most what stands here. All bounds are a third of what Debian's Linux 6.1 needs for the
// same, or less (docs/performance.md has both). Whoever makes a path longer says so here.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tools/path_meter/measure_kernel.hpp"

namespace {

using namespace vitrine;

struct Bound {
  const char* path;
  u64 most;
};

class PathLengths : public testing::TestWithParam<Bound> {
 protected:
  void SetUp() override {
    for (const char* const needed : {MEASURE_INITRAMFS, MEASURE_PROGRAM}) {
      if (!std::filesystem::exists(needed)) GTEST_SKIP() << needed << " is not there: `make guests` and `make build`";
    }
  }
  static const std::expected<paths::KernelPaths, std::string>& on_pulse() {
    static const auto found =
        paths::measure({.kernel = PULSE_KERNEL, .initrd = MEASURE_INITRAMFS, .program = MEASURE_PROGRAM});
    return found;
  }
};

TEST_P(PathLengths, is_at_most_what_it_was_made_to_be) {
  ASSERT_TRUE(on_pulse()) << on_pulse().error();
  const auto found = on_pulse()->samples.find(GetParam().path);
  ASSERT_NE(found, on_pulse()->samples.end()) << "no such path was measured";
  constexpr std::size_t enough = 10;
  EXPECT_GE(found->second.size(), enough) << "the others were spoilt by interrupts";
  const paths::Sample median = paths::median_of(found->second);
  EXPECT_LE(median.total, GetParam().most);
  u64 sum = 0;
  for (const u64 stage : median.by_stage) sum += stage;
  EXPECT_EQ(sum, median.total) << "the stages are all of it";
}

INSTANTIATE_TEST_SUITE_P(
    Pulse, PathLengths,
    testing::Values(Bound{"null system call, SYSCALL", 109}, Bound{"null system call, INT 0x80", 121},
                    Bound{"page fault, fresh page", 1050}, Bound{"page fault, copy on write", 1110},
                    Bound{"signal, from kill to handler", 1083}, Bound{"signal, return from handler", 320},
                    Bound{"context switch, sched_yield to another process", 450},
                    Bound{"eventfd wake-up, A blocking read", 1500}, Bound{"eventfd wake-up, B poll", 1700},
                    Bound{"eventfd wake-up, C epoll", 1700}, Bound{"timer tick, a program runs", 400},
                    Bound{"key press to the reader", 1400}),
    [](const auto& instance) {
      std::string name;
      for (const char letter : std::string_view(instance.param.path)) name += std::isalnum(letter) != 0 ? letter : '_';
      return name;
    });

}  // namespace
