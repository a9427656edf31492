#include "tests/traces/made_up_trace.hpp"

#include <vector>

#include "observe/trace_file.hpp"

namespace vitrine {

namespace {

enum Source : u16 { cpu, primary, pit, keyboard };
constexpr u64 kernel = 0xFFFFFFFF81000000;

class Guest {
 public:
  explicit Guest(TraceWriter& writer) : writer_(&writer) {}

  void name_threads() {
    add({.address = 0x656C6469, .other = 0, .kind = RecordKind::ThreadNamed, .source = cpu});    // idle
    add({.address = 0x6C6C656873, .other = 1, .kind = RecordKind::ThreadNamed, .source = cpu});  // shell
  }

  void round() {
    ++rounds_;
    if (rounds_ % 4 == 0) page_fault();
    interrupt(rounds_ % 16 == 0 ? keyboard : pit);
    if (batch_.size() > 4000) flush();
  }
  void flush() {
    writer_->consume(batch_);
    batch_.clear();
  }

  MadeUpCounts counts;
  u64 time = 0;

 private:
  void add(Record record) {
    record.time = time;
    record.instructions = time;
    batch_.push_back(record);
    ++counts.records;
  }
  [[nodiscard]] u64 somewhere() const { return kernel + (rounds_ * 0x9E3779B97F4A7C15u >> 44); }

  void page_fault() {
    const u64 id = ++last_id_;
    time += 800;
    const u64 at = somewhere();
    add({.id = id,
         .address = at,
         .other = rounds_ << 12,
         .extra = u64{1} << 32 | 2,
         .kind = RecordKind::Exception,
         .vector = 14,
         .source = cpu});
    add({.id = id,
         .address = kernel + 0x500,
         .other = at,
         .frame = kernel + 0xF000,
         .extra = u64{1} << 32 | 2,
         .kind = RecordKind::Delivered,
         .vector = 14,
         .detail = static_cast<u8>(DeliveryKind::Fault),
         .source = cpu});
    time += 300;
    add({.id = id,
         .address = kernel + 0x5F0,
         .frame = kernel + 0xF000,
         .kind = RecordKind::Returned,
         .vector = 14,
         .source = cpu});
    ++counts.page_faults;
  }

  void interrupt(Source device) {
    const u64 id = ++last_id_;
    const u8 line = device == pit ? 0 : 1;
    const u8 vector = static_cast<u8>(0x30 + line);
    time += 5000;
    add({.id = id, .kind = RecordKind::Raised, .pin = line, .source = device});
    add({.id = id, .kind = RecordKind::Latched, .pin = line, .source = primary});
    add({.id = id,
         .address = kernel + 0x10,
         .since = time - 40,
         .kind = RecordKind::Blocked,
         .pin = line,
         .detail = static_cast<u8>(Obstacle::InterruptFlag),
         .source = cpu});
    time += 60;
    add({.address = kernel + 0x10,
         .other = kernel + 0x20,
         .since = time - 2000,
         .kind = RecordKind::InterruptsOff,
         .source = cpu});
    add({.id = id, .kind = RecordKind::Acknowledged, .vector = vector, .pin = line, .source = primary});
    add({.id = id, .kind = RecordKind::InService, .pin = line, .source = primary});
    add({.id = id,
         .address = kernel + 0x100,
         .other = somewhere(),
         .frame = kernel + 0xE000,
         .kind = RecordKind::Delivered,
         .vector = vector,
         .detail = static_cast<u8>(DeliveryKind::External),
         .source = cpu});
    time += 100 + rounds_ % 37;
    add({.id = id, .kind = RecordKind::Lowered, .pin = line, .source = device});
    if (device == keyboard) {
      add({.id = id, .address = kernel + 0x140, .other = 1, .kind = RecordKind::ThreadWoken, .source = cpu});
    }
    add({.id = id, .address = kernel + 0x150, .kind = RecordKind::EndOfInterrupt, .pin = line, .source = primary});
    add({.id = id,
         .address = kernel + 0x1F0,
         .frame = kernel + 0xE000,
         .kind = RecordKind::Returned,
         .vector = vector,
         .source = cpu});
    ++counts.interrupts;
    if (device != keyboard) return;
    for (const u64 thread : {1, 0}) {
      time += 500;
      add({.address = kernel + 0x300, .other = thread, .kind = RecordKind::ThreadRuns, .source = cpu});
      ++counts.switches;
    }
  }

  TraceWriter* writer_;
  std::vector<Record> batch_;
  u64 rounds_ = 0;
  u64 last_id_ = 0;
};

}  // namespace

MadeUpCounts write_made_up_trace(ByteSink& sink, u64 records) {
  TraceWriter writer(
      sink,
      {.sources = {"cpu0", "pic0", "pit", "i8042"}, .lines = {{0, "Timer"}, {1, "Keyboard"}}, .guest = "made \"up\""});
  Guest guest(writer);
  guest.name_threads();
  while (guest.counts.records < records) guest.round();
  guest.flush();
  writer.finish({.time = guest.time, .instructions = guest.time, .reason = "time", .sentence = "The end."});
  return guest.counts;
}

}  // namespace vitrine
