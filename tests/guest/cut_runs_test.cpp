// Each image of tests/guest/images in one run and in many short ones: the same records at the same times, the same
// machine at the end. So whoever looks at a run in between, or gives it an input, changes nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "machine/boards/machine.hpp"
#include "observe/digest.hpp"
#include "tests/process.hpp"

namespace vitrine {
namespace {

constexpr Tick end{5'000'000};
constexpr Tick finely_cut{40'000};  // up to here every few nanoseconds, then every few microseconds

struct DigestSink final : LedgerSink {
  Digest digest;
  void consume(std::span<const Record> records) override { digest.add(records); }
};

class Playback {
 public:
  explicit Playback(const std::string& name) {
    const std::string bytes = tests::contents_of(std::string(GUEST_FOLDER) + "/" + name + ".elf");
    auto made = Machine::create({.memory_bytes = u64{64} << 20, .cpus = name.starts_with("smp_") ? 2u : 1u});
    if (!made) return;
    machine_ = std::move(*made);
    machine_->ledger().attach(sink_);
    const std::span image(reinterpret_cast<const u8*>(bytes.data()), bytes.size());
    loaded_ = machine_->boot({.image = image, .image_name = name}).has_value();
  }
  [[nodiscard]] bool loaded() const { return loaded_; }
  /// False: it has come to its end.
  bool go(Tick until) {
    const Machine::StopReason reason = machine_->run({.until = until}).reason;
    return reason == Machine::StopReason::TimeLimit;
  }
  void go_in_pieces() {
    u64 piece = 1;
    for (Tick at{}; at < end; piece = piece % 7 + 1) {
      at = Tick(at.value + (at < finely_cut ? piece : piece * 1'999));
      if (!go(std::min(at, end))) return;
    }
  }
  [[nodiscard]] u64 digest() {
    machine_->ledger().flush();
    return sink_.digest.value();
  }
  [[nodiscard]] std::vector<u8> saved() {
    Archive archive = Archive::saver();
    machine_->exchange(archive);
    return archive.bytes();
  }
  [[nodiscard]] u64 instructions() const { return machine_->instructions(); }

 private:
  DigestSink sink_;
  std::unique_ptr<Machine> machine_;
  bool loaded_ = false;
};

std::vector<std::string> guest_names() {
  std::istringstream list(GUEST_NAMES);
  std::vector<std::string> names;
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  return names;
}

class CutRuns : public testing::TestWithParam<std::string> {};

TEST_P(CutRuns, are_one_run) {
  Playback whole(GetParam());
  Playback cut(GetParam());
  ASSERT_TRUE(whole.loaded() && cut.loaded());
  whole.go(end);
  cut.go_in_pieces();
  EXPECT_EQ(cut.instructions(), whole.instructions());
  EXPECT_EQ(cut.digest(), whole.digest());
  EXPECT_TRUE(cut.saved() == whole.saved());
}

INSTANTIATE_TEST_SUITE_P(Images, CutRuns, testing::ValuesIn(guest_names()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace vitrine
