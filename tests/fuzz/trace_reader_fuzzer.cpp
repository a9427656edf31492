// Any bytes may be given to the commands that read traces: reading them must end, and touch nothing else. What the
// commands make of the records is all made here: report, list, lives, pictures.
//
// Checksums keep what is made up from being decoded. So the bytes are taken in three ways: as a file, as the payload of
// a block with a good checksum, and as the fields of records.
#include <array>
#include <cstddef>
#include <vector>

#include "observe/export/chrome.hpp"
#include "observe/export/ctf.hpp"
#include "observe/export/perfetto.hpp"
#include "observe/export/timeline.hpp"
#include "observe/life/life.hpp"
#include "observe/report.hpp"
#include "observe/show.hpp"
#include "observe/trace_file.hpp"
#include "tests/fuzz/input_bytes.hpp"

namespace vitrine {
namespace {

class Nowhere final : public ByteSink {
 public:
  void write(std::span<const u8>) override {}
};

template <class Writer>
void draw(TraceReader& reader, const TimelineSurvey& survey) {
  Nowhere nowhere;
  Writer writer(nowhere);
  reader.rewind();
  Timeline timeline(writer, survey, reader.header(), nullptr);
  for (auto records = reader.next(); !records.empty(); records = reader.next()) timeline.consume(records);
  timeline.finish(reader.end().time);
}

void use(TraceReader& reader) {
  const TraceHeader& header = reader.header();
  ReportBuilder builder(header);
  LifeTracker lives;
  TimelineSurvey survey;
  Nowhere nowhere;
  CtfWriter ctf({&nowhere, &nowhere}, header, nullptr);
  for (auto records = reader.next(); !records.empty(); records = reader.next()) {
    builder.consume(records);
    survey.consume(records);
    ctf.consume(records);
    for (const Record& record : records) {
      (void)show_line(record, header, nullptr);
      (void)show_json(record, header, nullptr);
      lives.consume(record);
      if (const Life* life = lives.find(record.id); life != nullptr && life->closed) {
        (void)life_text(*life, header, nullptr);
      }
    }
  }
  const Report report = builder.finish(reader.end());
  (void)report_text(report, nullptr);
  (void)report_json(report, nullptr);
  for (const Life* life : lives.open()) (void)life_json(*life, header, nullptr);
  ctf.finish(reader.end().time);
  (void)ctf_metadata(header);
  draw<PerfettoWriter>(reader, survey);
  draw<ChromeWriter>(reader, survey);
}

u32 crc32(std::span<const u8> bytes) {
  u32 crc = ~u32{0};
  for (const u8 byte : bytes) {
    crc ^= byte;
    for (int step = 0; step < 8; ++step) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

const TraceHeader some_header{.sources = {"cpu0", "pic0", "pit"}, .lines = {{0, "Timer"}}, .guest = "fuzz"};

void use_as_block(char type, std::span<const u8> payload) {
  MemorySink trace;
  const TraceWriter start(trace, some_header);
  const auto append = [&](u64 value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) trace.bytes.push_back(static_cast<u8>(value >> (8 * i)));
  };
  append(static_cast<u8>(type), 1);
  append(payload.size(), 4);
  append(crc32(payload), 4);
  trace.write(payload);
  if (auto reader = TraceReader::open(trace.bytes)) use(*reader);
}

/// Mostly small numbers, so that records have to do with each other.
void use_as_records(std::span<const u8> bytes) {
  InputBytes input(bytes);
  std::vector<Record> records;
  while (!input.empty() && records.size() < 1000) {
    const auto number = [&] {
      const u64 value = input.take(1);
      return value < 0xE0 ? value % 16 : input.take(8);
    };
    Record record{.time = number(),
                  .id = number(),
                  .address = number(),
                  .other = number(),
                  .frame = number(),
                  .since = number(),
                  .extra = number()};
    record.kind = static_cast<RecordKind>(input.take(1) % 40);
    record.vector = static_cast<u8>(input.take(1));
    record.pin = static_cast<u8>(number());
    record.detail = static_cast<u8>(number());
    record.source = static_cast<u16>(number());
    record.cpu = static_cast<u8>(number());
    record.privilege = static_cast<u8>(number());
    records.push_back(record);
  }
  MemorySink trace;
  TraceWriter writer(trace, some_header);
  writer.consume(records);
  writer.finish({});
  if (auto reader = TraceReader::open(trace.bytes)) use(*reader);
}

}  // namespace
}  // namespace vitrine

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vitrine;
  auto reader = TraceReader::open({data, size});
  if (reader) use(*reader);
  use_as_block('R', {data, size});
  use_as_block('E', {data, size});
  use_as_records({data, size});
  return 0;
}
