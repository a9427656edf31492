// What others see of a pipe, a terminal, a counter or a file while a program's page comes from a disk in the middle of
// a copy, and what a call answers when a page is not there at all.
#include <gtest/gtest.h>

#include "kernel/fs/event_files.hpp"
#include "kernel/fs/pipe.hpp"
#include "kernel/fs/terminal.hpp"
#include "kernel/host/host_pages.hpp"
#include "kernel/host/slow_buffer.hpp"
#include "kernel/host/turns.hpp"
#include "kernel/memory/kernel_buffer.hpp"

namespace pulse {
namespace {

using tests::HostPages;
using tests::SlowBuffer;
using tests::Turns;

constexpr std::size_t all = ~std::size_t{0};

std::string letters(std::size_t size) {
  std::string text(size, 0);
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

/// What was read: the bytes, or the error's number.
std::string read(File& file, std::size_t size, std::size_t there = all) {
  SlowBuffer buffer(std::string(size, '-'), there);
  const auto count = file.read(buffer);
  if (!count) return "error " + std::to_string(static_cast<int>(count.error()));
  return buffer.text.substr(0, *count);
}
std::string write(File& file, const std::string& text, std::size_t there = all) {
  SlowBuffer buffer(text, there);
  const auto count = file.write(buffer);
  return count ? std::to_string(*count) : "error " + std::to_string(static_cast<int>(count.error()));
}
const std::string bad_address = "error " + std::to_string(static_cast<int>(Errno::BadAddress));
const std::string try_again = "error " + std::to_string(static_cast<int>(Errno::TryAgain));

// --- pipes

struct SlowPipe : testing::Test {
  PipeEnds pipe = *make_pipe();
};

TEST_F(SlowPipe, two_readers_never_get_the_same_bytes) {
  ASSERT_EQ(write(*pipe.writer, "abcdefgh"), "8");
  std::string one, other;
  Turns().run({[&] { one = read(*pipe.reader, 4); }, [&] { other = read(*pipe.reader, 4); }});
  EXPECT_EQ(one, "abcd");
  EXPECT_EQ(other, "efgh");
  EXPECT_EQ(read(*pipe.reader, 1), try_again);
}

TEST_F(SlowPipe, two_writers_never_mix_their_bytes) {
  const std::string a(4096, 'a'), b(4096, 'b');
  Turns().run({[&] { EXPECT_EQ(write(*pipe.writer, a), "4096"); }, [&] { EXPECT_EQ(write(*pipe.writer, b), "4096"); }});
  EXPECT_EQ(read(*pipe.reader, 8192), a + b);
}

TEST_F(SlowPipe, a_reader_that_comes_while_a_writer_sleeps_gets_what_that_wrote) {
  std::string got;
  Turns().run({[&] { EXPECT_EQ(write(*pipe.writer, "text"), "4"); }, [&] { got = read(*pipe.reader, 9); }});
  EXPECT_EQ(got, "text");
}

TEST_F(SlowPipe, a_page_that_is_not_there_leaves_its_bytes_in_the_pipe) {
  const std::string text = letters(8192);
  ASSERT_EQ(write(*pipe.writer, text), "8192");
  EXPECT_EQ(read(*pipe.reader, 8192, 100), bad_address);
  EXPECT_EQ(read(*pipe.reader, 8192, 5000), text.substr(0, 4096));
  EXPECT_EQ(read(*pipe.reader, 8192), text.substr(4096));
}

TEST_F(SlowPipe, a_write_from_a_page_that_is_not_there_is_short_or_none) {
  const std::string text = letters(6000);
  EXPECT_EQ(write(*pipe.writer, text, 100), bad_address);
  EXPECT_EQ(write(*pipe.writer, text, 5000), "4096");
  EXPECT_EQ(read(*pipe.reader, 9000), text.substr(0, 4096));
}

TEST_F(SlowPipe, a_short_write_around_the_end_of_the_buffer_leaves_nothing_of_it) {
  constexpr std::size_t capacity = 65536;
  ASSERT_EQ(write(*pipe.writer, letters(capacity - 10)), std::to_string(capacity - 10));
  ASSERT_EQ(read(*pipe.reader, capacity).size(), capacity - 10);
  EXPECT_EQ(write(*pipe.writer, letters(20), 15), bad_address);
  EXPECT_EQ(read(*pipe.reader, 20), try_again);
  EXPECT_EQ(write(*pipe.writer, letters(20)), "20");
  EXPECT_EQ(read(*pipe.reader, 20), letters(20));
}

// --- counters

std::string number(u64 value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

TEST(SlowEventCounter, two_readers_never_get_the_same_count) {
  EventCounter* const counter = new EventCounter(5, EventCounter::Reads::All);
  const Ref<File> file(counter);
  std::string one, other;
  Turns().run({[&] { one = read(*file, 8); }, [&] { other = read(*file, 8); }});
  EXPECT_EQ(one, number(5));
  EXPECT_EQ(other, try_again);
  EXPECT_EQ(write(*file, number(3)), "8");
  EXPECT_EQ(read(*file, 8), number(3));
}

TEST(SlowTimerFile, two_readers_never_get_the_same_expirations) {
  TimerQueue timers;
  TimerFile* const timer = new TimerFile(timers, 0);
  const Ref<File> file(timer);
  timer->set(10, 10);
  timers.expire(25);
  std::string one, other;
  Turns().run({[&] { one = read(*file, 8); }, [&] { other = read(*file, 8); }});
  EXPECT_EQ(one, number(2));
  EXPECT_EQ(other, try_again);
}

// --- terminals

struct Host final : TerminalHost {
  void show(std::span<const u8>) override {}
  void signal_group(u32, u32) override {}
  [[nodiscard]] u32 current_group() override { return 0; }
  [[nodiscard]] u32 current_session() override { return 0; }
  [[nodiscard]] u32 session_of_group(u32) override { return 0; }
  [[nodiscard]] bool ignores(u32) override { return false; }
  [[nodiscard]] Result<void> copy_out(u64, const void*, std::size_t) override { return fail(Errno::BadAddress); }
  [[nodiscard]] Result<void> copy_in(void*, u64, std::size_t) override { return fail(Errno::BadAddress); }
};

struct SlowTerminal : testing::Test {
  Host host;
  Terminal terminal{host};

  void type(const std::string& text) {
    for (const char letter : text) terminal.input(static_cast<u8>(letter));
  }
  std::string read(std::size_t size, std::size_t there = all) {
    SlowBuffer buffer(std::string(size, '-'), there);
    const auto count = terminal.read(buffer);
    if (!count) return "error " + std::to_string(static_cast<int>(count.error()));
    return buffer.text.substr(0, *count);
  }
};

TEST_F(SlowTerminal, two_readers_never_share_a_line) {
  const std::string first = letters(199) + "\n", second = std::string(150, 'x') + "\n";
  type(first + second);
  std::string one, other;
  Turns().run({[&] { one = read(1000); }, [&] { other = read(1000); }});
  EXPECT_EQ(one, first);
  EXPECT_EQ(other, second);
  EXPECT_EQ(read(1), try_again);
}

TEST_F(SlowTerminal, what_is_dropped_while_a_reader_sleeps_is_gone_and_what_is_typed_then_is_there) {
  constexpr char control_c = 3;
  terminal.foreground = 7;
  type(letters(100) + "\n");
  std::string got;
  Turns().run({[&] { got = read(1000); }, [&] { type(control_c + std::string("new\n")); }});
  EXPECT_EQ(got, letters(64) + "new\n");
  EXPECT_EQ(read(1000), try_again);
}

TEST_F(SlowTerminal, a_page_that_is_not_there_makes_a_read_short_or_an_error) {
  type(letters(10) + "\n" + letters(5) + "\n");
  EXPECT_EQ(read(100, 4), letters(4));
  EXPECT_EQ(read(100, 0), bad_address);
}

// --- files in memory

struct SlowTmpfs : testing::Test {
  HostPages pages;
  Ref<Node> root = make_tmpfs(pages);
  Ref<Node> file = *root->make("f", 0644, 0);

  void fill(std::size_t size) {
    std::string text(size, 'o');
    KernelBuffer bytes(text.data(), text.size());
    ASSERT_EQ(*file->write_at(0, bytes), size);
  }
};

TEST_F(SlowTmpfs, a_page_that_is_cut_off_while_it_is_written_stays_until_the_copy_is_done) {
  fill(8192);
  Turns().run({[&] {
                 SlowBuffer bytes(letters(4096));
                 EXPECT_EQ(file->write_at(4096, bytes), Result<std::size_t>(4096));
               },
               [&] { ASSERT_TRUE(file->resize(0)); }});
  EXPECT_TRUE(pages.are_sound());
}

TEST_F(SlowTmpfs, a_page_that_is_cut_off_while_it_is_read_is_read_as_it_was) {
  fill(4096);
  SlowBuffer bytes(std::string(4096, '-'));
  Turns().run(
      {[&] { EXPECT_EQ(file->read_at(0, bytes), Result<std::size_t>(4096)); }, [&] { ASSERT_TRUE(file->resize(0)); }});
  EXPECT_EQ(bytes.text, std::string(4096, 'o'));
  EXPECT_EQ(pages.left, 4);
}

TEST_F(SlowTmpfs, a_page_that_is_not_there_makes_reads_and_writes_short_to_the_byte) {
  SlowBuffer from(letters(6000), 5000);
  EXPECT_EQ(file->write_at(0, from), Result<std::size_t>(5000));
  EXPECT_EQ(file->size, 5000u);
  SlowBuffer none(letters(10), 0);
  EXPECT_EQ(file->write_at(5000, none), Result<std::size_t>(fail(Errno::BadAddress)));
  EXPECT_EQ(file->size, 5000u);
  SlowBuffer into(std::string(5000, '-'), 4500);
  EXPECT_EQ(file->read_at(0, into), Result<std::size_t>(4500));
  EXPECT_EQ(into.text.substr(0, 4500), letters(4500));
}

}  // namespace
}  // namespace pulse
