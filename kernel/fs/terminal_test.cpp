#include "kernel/fs/terminal.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pulse {
namespace {

constexpr u32 canonical = 2, echo = 8;
constexpr u64 tenth_of_second = 100'000'000;
constexpr std::size_t time_slot = 5, least_slot = 6;

class Host final : public TerminalHost {
 public:
  void show(std::span<const u8> bytes) override { shown.append(bytes.begin(), bytes.end()); }
  void signal_group(u32, u32) override {}
  [[nodiscard]] u32 current_group() override { return 0; }
  [[nodiscard]] u32 current_session() override { return 0; }
  [[nodiscard]] u32 session_of_group(u32) override { return 0; }
  [[nodiscard]] bool ignores(u32) override { return false; }
  [[nodiscard]] Result<void> copy_out(u64, const void*, std::size_t) override { return {}; }
  [[nodiscard]] Result<void> copy_in(void*, u64, std::size_t) override { return {}; }
  std::string shown;
};

class Text final : public IoBuffer {
 public:
  explicit Text(std::size_t most) : most_(most) {}
  [[nodiscard]] std::size_t remaining() const override { return most_ - text.size(); }
  [[nodiscard]] std::size_t put_some(std::span<const u8> bytes) override {
    text.append(bytes.begin(), bytes.end());
    return bytes.size();
  }
  [[nodiscard]] std::size_t get_some(std::span<u8>) override { return 0; }
  void go_back(std::size_t) override {}
  std::string text;

 private:
  std::size_t most_;
};

class TerminalTest : public testing::Test {
 protected:
  void without_lines(u8 least, u8 time) {
    terminal.modes.local = 0;
    terminal.modes.characters[least_slot] = least;
    terminal.modes.characters[time_slot] = time;
  }
  void type(std::string_view text) {
    for (const char byte : text) terminal.input(static_cast<u8>(byte));
  }
  /// "EAGAIN" if there is nothing now.
  std::string read(std::size_t most = 100) {
    Text text(most);
    const auto moved = terminal.read(text);
    return moved ? text.text : "EAGAIN";
  }
  [[nodiscard]] bool poll() const { return (terminal.ready() & ready::in) != 0; }

  Host host;
  Terminal terminal{host};
};

// POSIX.1-2017 11.1.7, cases A to D: how long a read waits that has got so many bytes.
struct Patience {
  const char* name;
  u8 least, time;
  std::size_t moved;
  u64 nanoseconds;
};
class TerminalPatience : public TerminalTest, public testing::WithParamInterface<Patience> {};

TEST_P(TerminalPatience, is_what_least_and_time_say) {
  without_lines(GetParam().least, GetParam().time);
  EXPECT_EQ(terminal.patience(GetParam().moved), GetParam().nanoseconds);
}

INSTANTIATE_TEST_SUITE_P(Cases, TerminalPatience,
                         testing::Values(Patience{"A_has_no_timer_before_the_first_byte", 4, 3, 0, File::forever},
                                         Patience{"A_has_a_timer_from_byte_to_byte", 4, 3, 1, 3 * tenth_of_second},
                                         Patience{"A_has_it_until_all_are_there", 4, 3, 3, 3 * tenth_of_second},
                                         Patience{"A_is_content_with_least", 4, 3, 4, 0},
                                         Patience{"B_waits_for_the_first", 4, 0, 0, File::forever},
                                         Patience{"B_waits_for_all", 4, 0, 3, File::forever},
                                         Patience{"B_is_content", 4, 0, 4, 0},
                                         Patience{"C_waits_so_long", 0, 255, 0, 255 * tenth_of_second},
                                         Patience{"C_is_content_with_one", 0, 255, 1, 0},
                                         Patience{"D_waits_for_nothing", 0, 0, 0, 0},
                                         Patience{"D_is_content", 0, 0, 5, 0}),
                         [](const auto& instance) { return instance.param.name; });

TEST_F(TerminalTest, with_lines_least_and_time_mean_nothing) {
  without_lines(0, 5);
  terminal.modes.local = canonical;
  EXPECT_EQ(terminal.patience(0), File::forever);
  EXPECT_EQ(terminal.patience(1), 0U);
}

TEST_F(TerminalTest, a_read_without_lines_takes_what_is_there) {
  without_lines(4, 0);
  EXPECT_EQ(read(), "EAGAIN");
  type("ab");
  EXPECT_TRUE(terminal.has_input());
  EXPECT_EQ(read(), "ab");
  EXPECT_FALSE(terminal.has_input());
}

TEST_F(TerminalTest, least_and_time_0_make_nothing_a_result) {
  without_lines(0, 0);
  EXPECT_EQ(read(), "");
  without_lines(0, 1);
  EXPECT_EQ(read(), "EAGAIN");
}

TEST_F(TerminalTest, poll_wants_least_bytes_unless_there_is_a_timer) {
  without_lines(3, 0);
  type("ab");
  EXPECT_FALSE(poll());
  without_lines(3, 1);
  EXPECT_TRUE(poll());
  without_lines(3, 0);
  type("c");
  EXPECT_TRUE(poll());
}

TEST_F(TerminalTest, a_line_is_read_when_it_ends) {
  terminal.modes.local = canonical | echo;
  type("ab");
  EXPECT_FALSE(terminal.has_input());
  EXPECT_EQ(read(), "EAGAIN");
  type("c\nnext\n");
  EXPECT_EQ(read(2), "ab");
  EXPECT_EQ(read(), "c\n");
  EXPECT_EQ(read(), "next\n");
  EXPECT_EQ(host.shown, "abc\r\nnext\r\n");
}

TEST_F(TerminalTest, a_line_that_is_being_typed_is_edited) {
  terminal.modes.local = canonical;
  type(
      "abx\x7F"
      "c\n");
  EXPECT_EQ(read(), "abc\n");
  type("lost\x15kept\n");
  EXPECT_EQ(read(), "kept\n");
}

TEST_F(TerminalTest, end_of_file_ends_a_read_without_a_byte_of_its_own) {
  terminal.modes.local = canonical;
  type("ab\x04\x04");
  EXPECT_EQ(read(), "ab");
  EXPECT_EQ(read(), "");
  EXPECT_EQ(read(), "EAGAIN");
}

TEST_F(TerminalTest, a_terminal_that_hung_up_is_at_its_end) {
  terminal.modes.local = canonical;
  terminal.hang_up();
  EXPECT_TRUE(terminal.has_input());
  EXPECT_EQ(read(), "");
  EXPECT_TRUE(poll());
}

TEST_F(TerminalTest, a_full_line_still_takes_its_end) {
  terminal.modes.local = canonical;
  type(std::string(10'000, 'x') + "\n");
  EXPECT_EQ(read(10'000), std::string(4095, 'x') + "\n");
}

}  // namespace
}  // namespace pulse
