#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "host/background_sink.hpp"
#include "host/file.hpp"
#include "host/pacer.hpp"
#include "host/terminal.hpp"

namespace vitrine {
namespace {

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "vitrine-host-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

TEST(ReadFile, gives_the_contents) {
  const Folder folder;
  const std::string path = folder.path / "file";
  std::ofstream(path) << "hello";
  const auto contents = read_file(path, 100);
  ASSERT_TRUE(contents.has_value());
  EXPECT_EQ(std::string(contents->begin(), contents->end()), "hello");
}

TEST(ReadFile, says_what_is_wrong) {
  const Folder folder;
  EXPECT_EQ(read_file(folder.path / "none", 100).error().clause, "there is no such file");
  EXPECT_EQ(read_file(folder.path, 100).error().kind, FileError::Kind::Directory);
  const std::string path = folder.path / "large";
  std::ofstream(path) << "";
  std::filesystem::resize_file(path, std::uintmax_t{1} << 40);
  EXPECT_EQ(read_file(path, 1 << 20).error().kind, FileError::Kind::TooLarge);
  EXPECT_EQ(read_file("/dev/zero", 1 << 20).error().kind, FileError::Kind::TooLarge);
}

TEST(OutputFile, remembers_that_the_disk_is_full) {
  auto full = OutputFile::create("/dev/full");
  if (!full) GTEST_SKIP() << "no /dev/full here";
  full->write("text");
  EXPECT_FALSE(full->close());
  EXPECT_EQ(full->error(), "the disk is full");
}

TEST(OutputFile, writes_large_and_small_pieces_in_order) {
  const Folder folder;
  const std::string path = folder.path / "file";
  std::string expected;
  {
    auto file = OutputFile::create(path);
    ASSERT_TRUE(file.has_value());
    for (int i = 0; i < 30'000; ++i) {
      const std::string piece = std::to_string(i) + " ";
      file->write(piece);
      expected += piece;
    }
    EXPECT_TRUE(file->close());
  }
  const auto contents = read_file(path, 1 << 20);
  ASSERT_TRUE(contents.has_value());
  EXPECT_EQ(std::string(contents->begin(), contents->end()), expected);
}

TEST(OutputFile, can_not_be_created_in_a_missing_folder) {
  EXPECT_EQ(OutputFile::create("/nowhere/at/all").error(), "its directory does not exist");
}

TEST(EscapeKeys, ctrl_a_begins_a_command) {
  using Command = EscapeKeys::Command;
  EscapeKeys keys;
  EXPECT_EQ(keys.feed('q').command, Command::Send);
  EXPECT_EQ(keys.feed(1).command, Command::Wait);
  EXPECT_EQ(keys.feed('x').command, Command::Leave);
  EXPECT_EQ(keys.feed('x').command, Command::Send);
  EXPECT_EQ(keys.feed(1).command, Command::Wait);
  const auto twice = keys.feed(1);
  EXPECT_EQ(twice.command, Command::Send);
  EXPECT_EQ(twice.byte, 1);
  keys.feed(1);
  EXPECT_EQ(keys.feed('h').command, Command::Help);
  keys.feed(1);
  EXPECT_EQ(keys.feed('p').command, Command::PowerButton);
  keys.feed(1);
  EXPECT_EQ(keys.feed('n').command, Command::NmiButton);
  keys.feed(1);
  EXPECT_EQ(keys.feed('z').command, Command::Wait);
  EXPECT_EQ(keys.feed('z').command, Command::Send);
}

TEST(Pacer, holds_a_fast_guest_and_does_not_make_a_slow_one_catch_up) {
  Pacer pacer(1'000, 0);
  EXPECT_EQ(pacer.wait_for(1'000, 5'000'000), 5'000'000u);
  EXPECT_EQ(pacer.wait_for(5'001'000, 5'000'000), 0u);
  EXPECT_EQ(pacer.wait_for(10'000'000'000, 6'000'000), 0u) << "far behind";
  EXPECT_EQ(pacer.wait_for(10'000'000'000, 7'000'000), 1'000'000u) << "counted from where it fell behind";
}

/// Adds up what it reads, slowly at first, so that the machine runs ahead of it.
struct Reader final : LedgerSink {
  std::vector<u64> ids;
  void consume(std::span<const Record> records) override {
    for (const Record& record : records) ids.push_back(record.id);
    if (ids.size() < 3 * BackgroundSink::batch) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
};

TEST(BackgroundSink, every_reader_sees_all_records_in_order) {
  Reader first, second;
  constexpr u64 count = 20 * BackgroundSink::batch + 17;
  {
    BackgroundSink sink;
    sink.add(first);
    sink.add(second);
    sink.start();
    std::vector<Record> some;
    for (u64 id = 1; id <= count; ++id) {
      some.push_back({.id = id});
      if (some.size() < 1 + id % 5000) continue;
      sink.consume(some);
      some.clear();
    }
    sink.consume(some);
    sink.wait();
    ASSERT_EQ(first.ids.size(), count);
    sink.consume(std::vector<Record>{{.id = count + 1}});
  }
  ASSERT_EQ(first.ids.size(), count + 1) << "what came last is read before the sink is gone";
  for (u64 id = 1; id <= count + 1; ++id) ASSERT_EQ(first.ids[id - 1], id);
  EXPECT_EQ(second.ids, first.ids);
}

TEST(BackgroundSink, wait_makes_few_records_known) {
  Reader reader;
  BackgroundSink sink;
  sink.add(reader);
  sink.start();
  sink.consume(std::vector<Record>{{.id = 1}, {.id = 2}});
  sink.wait();
  EXPECT_EQ(reader.ids, (std::vector<u64>{1, 2}));
  sink.wait();
  EXPECT_EQ(reader.ids.size(), 2u);
}

TEST(BackgroundSink, buffers_that_it_takes_are_read_in_place_and_after_what_came_before) {
  struct Places final : LedgerSink {
    std::vector<const Record*> batches;
    std::vector<u64> ids;
    void consume(std::span<const Record> records) override {
      batches.push_back(records.data());
      for (const Record& record : records) ids.push_back(record.id);
    }
  } reader;
  BackgroundSink sink;
  sink.add(reader);
  sink.start();
  sink.consume(std::vector<Record>{{.id = 1}});
  RecordBuffer buffer = RecordBuffer::with_room();
  buffer.add() = {.id = 2};
  const Record* const place = buffer.records().data();
  sink.take(buffer);
  EXPECT_TRUE(buffer.empty());
  EXPECT_FALSE(buffer.full());
  sink.wait();
  EXPECT_EQ(reader.ids, (std::vector<u64>{1, 2}));
  EXPECT_EQ(reader.batches.back(), place);
}

TEST(BackgroundSink, without_a_thread_reads_by_itself) {
  Reader reader;
  BackgroundSink sink;
  sink.add(reader);
  sink.consume(std::vector<Record>(BackgroundSink::batch, Record{.id = 7}));
  EXPECT_EQ(reader.ids.size(), BackgroundSink::batch);
}

}  // namespace
}  // namespace vitrine
