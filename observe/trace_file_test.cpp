#include "observe/trace_file.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace vitrine {
namespace {

TraceHeader some_header() {
  return {.sources = {"cpu0", "pit", "com1"},
          .lines = {{0, "pit"}, {4, "com1"}},
          .options = {{"memory", "268435456"}},
          .guest = "vmlinuz",
          .symbols = "System.map"};
}

RunEnd some_end() {
  return {.time = 5000,
          .instructions = 4000,
          .reason = "until",
          .sentence = "the guest printed READY",
          .status = 0,
          .address = 0xFFFFFFFF81000000,
          .cpus = {0xFFFFFFFF81000000, 0, 0x1234}};
}

std::vector<Record> random_records(std::size_t count) {
  std::mt19937_64 random(1);
  std::vector<Record> records(count);
  u64 time = 0;
  for (Record& record : records) {
    const u64 few = random();
    record.time = time += random() % 1000;
    record.instructions = time;
    record.id = (few & 1) != 0 ? random() % 100 : 0;
    record.address = (few & 2) != 0 ? random() : 0;
    record.other = (few & 4) != 0 ? random() : 0;
    record.frame = (few & 8) != 0 ? ~u64{0} - random() % 10 : 0;
    record.since = (few & 16) != 0 ? time / 2 : 0;
    record.extra = (few & 32) != 0 ? random() : 0;
    record.kind = static_cast<RecordKind>(1 + random() % 21);
    record.vector = static_cast<u8>(random());
    record.pin = static_cast<u8>(random() % 16);
    record.detail = static_cast<u8>(random() % 8);
    record.source = static_cast<u16>(random() % 3);
    record.cpu = static_cast<u8>(random() % 2);
    record.privilege = static_cast<u8>(random() % 4);
  }
  return records;
}

std::vector<u8> trace_of(const std::vector<Record>& records) {
  MemorySink sink;
  TraceWriter writer(sink, some_header());
  writer.consume(records);
  writer.finish(some_end());
  return sink.bytes;
}

struct ReadResult {
  std::vector<Record> records;
  TraceError error = TraceError::None;
  RunEnd end;
  u64 digest = 0;
};

ReadResult read(std::span<const u8> bytes) {
  ReadResult result;
  auto reader = TraceReader::open(bytes);
  if (!reader) {
    result.error = reader.error();
    return result;
  }
  for (auto records = reader->next(); !records.empty(); records = reader->next()) {
    result.records.insert(result.records.end(), records.begin(), records.end());
  }
  result.error = reader->error();
  result.end = reader->end();
  result.digest = reader->digest();
  return result;
}

bool same(std::span<const Record> a, std::span<const Record> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

TEST(TraceFile, gives_back_every_record_the_header_and_the_end) {
  const auto records = random_records(10'000);
  const auto bytes = trace_of(records);
  const ReadResult result = read(bytes);
  EXPECT_EQ(result.error, TraceError::None);
  EXPECT_TRUE(same(result.records, records));
  EXPECT_EQ(result.end, some_end());
  EXPECT_EQ(TraceReader::open(bytes)->header(), some_header());
}

TEST(TraceFile, names_from_the_guest_are_known_before_the_records_and_change_none) {
  const auto records = random_records(10'000);
  const std::string names = "ffffffff81000000 T start\n";
  MemorySink sink;
  TraceWriter writer(sink, some_header());
  writer.consume(records);
  writer.add_symbols(names);
  writer.finish(some_end());
  EXPECT_EQ(TraceReader::open(sink.bytes)->symbols(), names);
  EXPECT_EQ(TraceReader::open(trace_of(records))->symbols(), "");
  const ReadResult result = read(sink.bytes);
  EXPECT_EQ(result.error, TraceError::None);
  EXPECT_TRUE(same(result.records, records));
  EXPECT_EQ(result.end, some_end());
}

TEST(TraceFile, traces_of_version_1_are_read) {
  const auto records = random_records(100);
  auto bytes = trace_of(records);
  bytes[8] = 1;
  const ReadResult result = read(bytes);
  EXPECT_EQ(result.error, TraceError::None);
  EXPECT_TRUE(same(result.records, records));
}

TEST(TraceFile, does_not_depend_on_how_the_records_are_batched) {
  const auto records = random_records(5000);
  MemorySink sink;
  TraceWriter writer(sink, some_header());
  const std::span<const Record> all(records);
  for (std::size_t i = 0; i < records.size(); i += 7)
    writer.consume(all.subspan(i, std::min<std::size_t>(7, all.size() - i)));
  writer.finish(some_end());
  EXPECT_EQ(sink.bytes, trace_of(records));
}

TEST(TraceFile, digest_depends_on_order_and_on_every_field) {
  const auto records = random_records(100);
  Digest all;
  all.add(records);
  auto swapped = records;
  std::swap(swapped[3], swapped[4]);
  Digest other_order;
  other_order.add(swapped);
  EXPECT_NE(all.value(), other_order.value());
  auto changed = records;
  changed[99].privilege ^= 1;
  Digest other_field;
  other_field.add(changed);
  EXPECT_NE(all.value(), other_field.value());
  EXPECT_EQ(read(trace_of(records)).digest, all.value());
}

TEST(TraceFile, cut_off_anywhere_is_an_error_and_keeps_what_came_before) {
  const auto records = random_records(9000);
  const auto bytes = trace_of(records);
  for (std::size_t size = 0; size < bytes.size(); size += size < 200 ? 1 : 997) {
    const ReadResult result = read(std::span(bytes).first(size));
    EXPECT_NE(result.error, TraceError::None) << size;
    EXPECT_TRUE(same(result.records, std::span(records).first(result.records.size()))) << size;
  }
  const ReadResult last_byte_gone = read(std::span(bytes).first(bytes.size() - 1));
  EXPECT_EQ(last_byte_gone.error, TraceError::Truncated);
  EXPECT_EQ(last_byte_gone.records.size(), records.size());
  EXPECT_EQ(last_byte_gone.end.time, records.back().time);
}

TEST(TraceFile, a_changed_byte_anywhere_is_noticed) {
  const auto records = random_records(300);
  const auto bytes = trace_of(records);
  for (std::size_t i = 0; i < bytes.size(); i += i < 200 ? 1 : 13) {
    auto damaged = bytes;
    damaged[i] ^= 0x10;
    const ReadResult result = read(damaged);
    EXPECT_NE(result.error, TraceError::None) << i;
    EXPECT_TRUE(same(result.records, std::span(records).first(result.records.size()))) << i;
  }
}

TEST(TraceFile, names_what_is_wrong) {
  const auto bytes = trace_of(random_records(10));
  EXPECT_EQ(read(std::vector<u8>{}).error, TraceError::NotATrace);
  EXPECT_EQ(read(std::vector<u8>(100, 'x')).error, TraceError::NotATrace);
  auto other_version = bytes;
  other_version[8] = 99;
  EXPECT_EQ(read(other_version).error, TraceError::WrongVersion);
  auto longer = bytes;
  longer.push_back(0);
  EXPECT_EQ(read(longer).error, TraceError::TrailingBytes);
  EXPECT_EQ(read(std::span(bytes).first(12)).error, TraceError::BadHeader);
}

TEST(TraceFile, an_end_of_more_than_64_cpus_is_no_end) {
  const auto error_with = [](std::size_t cpus) {
    RunEnd end = some_end();
    end.cpus.assign(cpus, 0x1234);
    MemorySink sink;
    TraceWriter writer(sink, some_header());
    writer.finish(end);
    const ReadResult result = read(sink.bytes);
    EXPECT_EQ(result.error == TraceError::None, result.end == end);
    return result.error;
  };
  EXPECT_EQ(error_with(0), TraceError::None);
  EXPECT_EQ(error_with(64), TraceError::None);
  EXPECT_EQ(error_with(65), TraceError::BadBlock);
}

TEST(TraceFile, a_trace_without_records_is_good) {
  const ReadResult result = read(trace_of({}));
  EXPECT_EQ(result.error, TraceError::None);
  EXPECT_EQ(result.end, some_end());
}

TEST(TraceFile, a_timer_tick_takes_few_bytes) {
  std::vector<Record> records;
  for (u64 tick = 0; tick < 10'000; ++tick) {
    const u64 time = tick * 1'000'000;
    for (const RecordKind kind : {RecordKind::Raised, RecordKind::Latched, RecordKind::Acknowledged,
                                  RecordKind::Delivered, RecordKind::EndOfInterrupt, RecordKind::Returned}) {
      records.push_back({.time = time + static_cast<u64>(kind),
                         .instructions = time,
                         .id = tick + 1,
                         .address = 0xFFFFFFFF81000000 + static_cast<u64>(kind),
                         .kind = kind});
    }
  }
  EXPECT_LT(trace_of(records).size(), records.size() * 6);
}

}  // namespace
}  // namespace vitrine
