#include "machine/devices/annotation/annotation.hpp"

#include <gtest/gtest.h>

#include <string>

#include "abi/annotation.h"
#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

DeviceUnderTest annotation() {
  return {.make = [](TestBench& bench) -> Device& { return bench.add<Annotation>("annotation"); },
          .regions = {{Region(0), Annotation::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(Annotation, annotation());

class Threads : public testing::Test {
 protected:
  void say(u64 message) { chip.write(Region(0), 0, AccessSize(4), message); }
  void name(u32 thread, std::string text) {
    say(VITRINE_THREAD_NAME | thread);
    text += '\0';
    for (std::size_t at = 0; at < text.size(); at += 3) {
      u64 bytes = 0;
      for (std::size_t i = 0; i < 3 && at + i < text.size(); ++i) {
        bytes |= u64{static_cast<u8>(text[at + i])} << 8 * i;
      }
      say(VITRINE_NAME_BYTES | bytes);
    }
  }
  static std::string name_in(const Record& record) {
    std::string text;
    for (unsigned i = 0; i < 16; ++i) {
      const char letter = static_cast<char>((i < 8 ? record.address : record.frame) >> 8 * (i % 8));
      if (letter != 0) text += letter;
    }
    return text;
  }

  TestBench bench;
  Annotation& chip = bench.add<Annotation>("annotation");
};

TEST_F(Threads, the_port_answers_its_magic_number_to_32_bits_only) {
  EXPECT_EQ(chip.read(Region(0), 0, AccessSize(4)), VITRINE_ANNOTATION_MAGIC);
  EXPECT_EQ(chip.read(Region(0), 0, AccessSize(1)), 0xFFu);
  EXPECT_EQ(chip.read(Region(0), 1, AccessSize(2)), 0xFFFFu);
}

TEST_F(Threads, each_message_is_a_record_with_thread_instruction_and_cpu) {
  struct Row {
    u32 message;
    RecordKind kind;
  };
  bench.ledger.context.address = 0x1234;
  bench.ledger.context.cpu = 3;
  for (const Row& row :
       {Row{VITRINE_THREAD_RUNS, RecordKind::ThreadRuns}, Row{VITRINE_THREAD_WOKEN, RecordKind::ThreadWoken},
        Row{VITRINE_THREAD_BLOCKED, RecordKind::ThreadBlocked}, Row{VITRINE_THREAD_EXITED, RecordKind::ThreadExited}}) {
    bench.forget_records();
    say(row.message | VITRINE_THREAD_MASK);
    ASSERT_EQ(bench.records().size(), 1u);
    const Record& record = bench.records().front();
    EXPECT_EQ(record.kind, row.kind);
    EXPECT_EQ(record.other, VITRINE_THREAD_MASK);
    EXPECT_EQ(record.address, 0x1234u);
    EXPECT_EQ(record.cpu, 3);
    EXPECT_EQ(record.id, 0u);
  }
}

TEST_F(Threads, a_thread_that_runs_says_when_it_was_woken_once) {
  bench.advance(100);
  say(VITRINE_THREAD_WOKEN | 7);
  bench.advance(50);
  say(VITRINE_THREAD_RUNS | (7 + 256));
  say(VITRINE_THREAD_RUNS | 7);
  say(VITRINE_THREAD_RUNS | 7);
  const std::vector<Record> runs = bench.records(RecordKind::ThreadRuns);
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].since, 0u) << "another thread with the same place in the table";
  EXPECT_EQ(runs[1].since, 100u);
  EXPECT_EQ(runs[2].since, 0u);
}

TEST_F(Threads, an_exit_forgets_when_the_number_was_woken) {
  bench.advance(100);
  say(VITRINE_THREAD_WOKEN | 7);
  say(VITRINE_THREAD_EXITED | 7);
  say(VITRINE_THREAD_RUNS | 7);
  EXPECT_EQ(bench.records(RecordKind::ThreadRuns).front().since, 0u);
}

TEST_F(Threads, names_are_put_together_and_cut_at_sixteen_bytes) {
  for (const char* text : {"", "a", "sh", "ksoftirqd/0", "sixteen bytes ok", "a name that is much too long"}) {
    bench.forget_records();
    name(5, text);
    const std::vector<Record> named = bench.records(RecordKind::ThreadNamed);
    ASSERT_EQ(named.size(), 1u) << text;
    EXPECT_EQ(named[0].other, 5u);
    EXPECT_EQ(name_in(named[0]), std::string(text).substr(0, 16));
  }
}

TEST_F(Threads, bytes_without_a_name_begun_and_unknown_messages_do_nothing) {
  say(VITRINE_NAME_BYTES | 'x');
  say(0);
  for (u64 kind = 7; kind < 16; ++kind) say(kind << 28 | 1);
  chip.write(Region(0), 0, AccessSize(2), 0xFFFF);
  chip.write(Region(0), 2, AccessSize(4), VITRINE_THREAD_RUNS);
  EXPECT_TRUE(bench.records().empty());
}

TEST_F(Threads, a_name_that_is_begun_again_starts_anew) {
  say(VITRINE_THREAD_NAME | 1);
  say(VITRINE_NAME_BYTES | 'x' | 'y' << 8 | 'z' << 16);
  name(2, "ok");
  const std::vector<Record> named = bench.records(RecordKind::ThreadNamed);
  ASSERT_EQ(named.size(), 1u);
  EXPECT_EQ(named[0].other, 2u);
  EXPECT_EQ(name_in(named[0]), "ok");
}

}  // namespace
}  // namespace vitrine
