#include "observe/export/ctf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "observe/apic_fields.hpp"
#include "observe/device_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr u32 packet_magic = 0xC1FC1FC1;  // CTF 1.8.3, 5.1
constexpr unsigned packet_prefix_bytes = 4 + 4 + 6 * 8 + 4;
constexpr std::size_t name_bytes = 16;  // TASK_COMM_LEN

/// Our own events come after LTTng's, by record kind.
enum EventId : u16 {
  irq_handler_entry = 0,
  irq_handler_exit = 1,
  sched_switch = 2,
  sched_waking = 3,
  sched_process_exit = 4,
  page_fault_user = 5,
  page_fault_kernel = 6,
  own_events = 16,
};

struct EventClass {
  u16 id;
  std::string_view name;
  std::string_view fields;
};

// LTTng's fields first and as LTTng has them; ours behind.
constexpr EventClass lttng_events[] = {
    {irq_handler_entry, "irq_handler_entry",
     "i32 _irq; string _name; u64 _request; u8 _vector; x64 _ip; string _symbol;"},
    {irq_handler_exit, "irq_handler_exit", "i32 _irq; i32 _ret; u64 _request; u8 _vector;"},
    {sched_switch, "sched_switch",
     "character _prev_comm[16]; i32 _prev_tid; i32 _prev_prio; i64 _prev_state; character _next_comm[16]; i32 "
     "_next_tid; i32 _next_prio;"},
    {sched_waking, "sched_waking", "character _comm[16]; i32 _tid; i32 _prio; i32 _target_cpu; u64 _request;"},
    {sched_process_exit, "sched_process_exit", "character _comm[16]; i32 _tid; i32 _prio;"},
    {page_fault_user, "x86_exceptions_page_fault_user", "x64 _address; x64 _ip; x64 _error_code; u64 _request;"},
    {page_fault_kernel, "x86_exceptions_page_fault_kernel", "x64 _address; x64 _ip; x64 _error_code; u64 _request;"},
};
constexpr std::string_view own_fields =
    "u64 _request; string _source; u8 _pin; u8 _vector; u8 _detail; x64 _ip; string _symbol; x64 _other; u64 _since; "
    "x64 _extra;";

// LTTng's scale, on which 20 is a thread that asked for nothing. Guests don't tell theirs.
constexpr i64 usual_priority = 20;
constexpr i64 irq_handled = 1;  // IRQ_HANDLED
// TASK_RUNNING, TASK_INTERRUPTIBLE, TASK_DEAD
constexpr i64 task_states[] = {0, 1, 128};

constexpr u8 last_kind = static_cast<u8>(RecordKind::CpuReset);

constexpr u8 page_fault = 14;

std::string own_name(u8 kind) {
  std::string name = fmt::format("vitrine_{}", kind_name(static_cast<RecordKind>(kind)));
  std::ranges::replace(name, '-', '_');
  return name;
}

/// In quotes, as TSDL has C's strings.
std::string tsdl_text(std::string_view text) {
  std::string result = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') result += '\\';
    result += static_cast<u8>(character) < 0x20 ? ' ' : character;
  }
  return result + '"';
}

/// LTTng's idle threads are all thread 0; ours are told apart by numbers that no tid has (linux_threads.hpp).
u64 tid_of(u64 thread) { return thread > 0x7FFF'FFFF ? 0 : thread; }

void append(std::string& out, u64 value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

}  // namespace

std::string ctf_metadata(const TraceHeader& header) {
  std::string text = fmt::format(R"(/* CTF 1.8 */
typealias integer {{ size = 8; align = 8; signed = false; }} := u8;
typealias integer {{ size = 16; align = 8; signed = false; }} := u16;
typealias integer {{ size = 32; align = 8; signed = false; }} := u32;
typealias integer {{ size = 64; align = 8; signed = false; }} := u64;
typealias integer {{ size = 64; align = 8; signed = false; base = 16; }} := x64;
typealias integer {{ size = 32; align = 8; signed = true; }} := i32;
typealias integer {{ size = 64; align = 8; signed = true; }} := i64;
typealias integer {{ size = 8; align = 8; signed = false; encoding = UTF8; }} := character;
trace {{
  major = 1;
  minor = 8;
  byte_order = le;
  packet.header := struct {{ u32 magic; u32 stream_id; }};
}};
env {{
  domain = "kernel";
  /* Whose events these are like: analyses choose their layout by it. */
  tracer_name = "lttng-modules";
  tracer_major = 2;
  tracer_minor = 13;
  tracer_patchlevel = 0;
  product = "vitrine";
  guest = {};
}};
clock {{
  name = "guest";
  description = "Virtual nanoseconds since power-on";
  freq = 1000000000;
  precision = 1;
  offset = 0;
  absolute = false;
}};
typealias integer {{ size = 64; align = 8; signed = false; map = clock.guest.value; }} := time;
stream {{
  id = 0;
  packet.context := struct {{
    time timestamp_begin;
    time timestamp_end;
    u64 content_size;
    u64 packet_size;
    u64 packet_seq_num;
    u64 events_discarded;
    u32 cpu_id;
  }};
  event.header := struct {{ u16 id; time timestamp; }};
}};
)",
                                 tsdl_text(header.guest));
  const auto event = [&](u16 id, std::string_view name, std::string_view fields) {
    fmt::format_to(std::back_inserter(text),
                   "event {{\n  name = \"{}\";\n  id = {};\n  stream_id = 0;\n  fields := struct {{ {} }};\n}};\n",
                   name, id, fields);
  };
  for (const EventClass& each : lttng_events) event(each.id, each.name, each.fields);
  for (u8 kind = 1; kind <= last_kind; ++kind) {
    event(static_cast<u16>(own_events + kind), own_name(kind), own_fields);
  }
  return text;
}

CtfWriter::CtfWriter(std::vector<ByteSink*> streams, const TraceHeader& header, const Symboliser* symbols)
    : header_(&header), symbols_(symbols), known_(known_requests) {
  for (ByteSink* out : streams) streams_.push_back({.out = out});
}

void CtfWriter::consume(std::span<const Record> records) {
  for (const Record& record : records) {
    const u32 cpu = std::min<u32>(record.cpu, static_cast<u32>(streams_.size()) - 1);
    Stream& stream = streams_[cpu];
    stream.now = std::max(stream.now, record.time);
    if (stream.packet.empty()) stream.begin = stream.now;
    add(stream, record);
    if (stream.packet.size() >= packet_bytes) flush(stream, cpu);
  }
}

void CtfWriter::add(Stream& stream, const Record& record) {
  note_origin(record);
  if (add_interrupt(stream, record) || add_thread(stream, record)) return;
  add_own(stream, record);
}

void CtfWriter::note_origin(const Record& record) {
  Known& known = known_[record.id % known_requests];
  if (record.kind == RecordKind::Raised || (record.kind == RecordKind::MessageSent && known.id != record.id)) {
    known = {record.id, record.source, record.pin};
  } else if (record.kind == RecordKind::Copied) {
    const Known& original = known_[record.other % known_requests];
    if (original.id == record.other) known = {record.id, original.source, original.line};
  }
}

/// Linux numbers its interrupts, not the pins: what has no line gets 256 + vector.
u32 CtfWriter::irq_of(const Known& known, const Record& record) {
  return is_line(known.line) ? known.line : 256u + record.vector;
}

bool CtfWriter::add_interrupt(Stream& stream, const Record& record) {
  const Known& known = known_[record.id % known_requests];
  const bool is_line = record.id != 0 && known.id == record.id;
  switch (record.kind) {
    case RecordKind::Delivered:
      if (!is_line) return false;
      event(stream, irq_handler_entry);
      put(stream, irq_of(known, record), 4);
      put_text(stream, source_name(known.source));
      put(stream, record.id, 8);
      put(stream, record.vector, 1);
      put(stream, record.address, 8);
      put_text(stream, symbols_ != nullptr ? symbols_->describe(record.address) : "");
      return true;
    case RecordKind::Returned:
      if (!is_line) return false;
      event(stream, irq_handler_exit);
      put(stream, irq_of(known, record), 4);
      put(stream, irq_handled, 4);
      put(stream, record.id, 8);
      put(stream, record.vector, 1);
      return true;
    case RecordKind::Exception:
      if (record.vector != page_fault) return false;
      event(stream, record.privilege == 3 ? page_fault_user : page_fault_kernel);
      put(stream, record.other, 8);
      put(stream, record.address, 8);
      put(stream, static_cast<u32>(record.extra), 8);
      put(stream, record.id, 8);
      return true;
    default:
      return false;
  }
}

bool CtfWriter::add_thread(Stream& stream, const Record& record) {
  Thread* thread = record.kind >= RecordKind::ThreadRuns && record.kind <= RecordKind::ThreadNamed
                       ? thread_of(record.other)
                       : nullptr;
  if (thread == nullptr) return false;
  switch (record.kind) {
    case RecordKind::ThreadRuns: {
      const Thread* before = stream.thread_known ? thread_of(stream.thread) : nullptr;
      event(stream, sched_switch);
      put_name(stream, before != nullptr ? before->name : "");
      put(stream, before != nullptr ? tid_of(stream.thread) : 0, 4);
      put(stream, usual_priority, 4);
      put(stream, static_cast<u64>(task_states[static_cast<u8>(before != nullptr ? before->state : ThreadState::Runs)]),
          8);
      thread->state = ThreadState::Runs;
      put_name(stream, thread->name);
      put(stream, tid_of(record.other), 4);
      put(stream, usual_priority, 4);
      stream.thread = record.other;
      stream.thread_known = true;
      return true;
    }
    case RecordKind::ThreadWoken:
      thread->state = ThreadState::Runs;
      event(stream, sched_waking);
      put_name(stream, thread->name);
      put(stream, tid_of(record.other), 4);
      put(stream, usual_priority, 4);
      put(stream, record.cpu, 4);
      put(stream, record.id, 8);
      return true;
    case RecordKind::ThreadBlocked:
      thread->state = ThreadState::Waits;
      return false;
    case RecordKind::ThreadExited:
      thread->state = ThreadState::Dead;
      event(stream, sched_process_exit);
      put_name(stream, thread->name);
      put(stream, tid_of(record.other), 4);
      put(stream, usual_priority, 4);
      return true;
    default:
      thread->name = printable_thread_name(record);
      return false;
  }
}

void CtfWriter::add_own(Stream& stream, const Record& record) {
  const u8 kind = static_cast<u8>(record.kind);
  if (kind == 0 || kind > last_kind) return;
  event(stream, static_cast<u16>(own_events + kind));
  put(stream, record.id, 8);
  put_text(stream, source_name(record.source));
  put(stream, record.pin, 1);
  put(stream, record.vector, 1);
  put(stream, record.detail, 1);
  put(stream, record.address, 8);
  put_text(stream, symbols_ != nullptr && record.address != 0 ? symbols_->describe(record.address) : "");
  put(stream, record.other, 8);
  put(stream, record.since, 8);
  put(stream, record.extra, 8);
}

void CtfWriter::event(Stream& stream, u16 id) {
  put(stream, id, 2);
  put(stream, stream.now, 8);
}

void CtfWriter::put(Stream& stream, u64 value, unsigned bytes) { append(stream.packet, value, bytes); }

void CtfWriter::put_text(Stream& stream, std::string_view text) {
  stream.packet += text.substr(0, text.find('\0'));
  stream.packet += '\0';
}

/// In a field of fixed size, 0 at its end.
void CtfWriter::put_name(Stream& stream, std::string_view name) {
  name = name.substr(0, name_bytes - 1);
  stream.packet += name;
  stream.packet.append(name_bytes - name.size(), '\0');
}

void CtfWriter::flush(Stream& stream, u32 cpu) {
  std::string prefix;
  const u64 bits = (packet_prefix_bytes + stream.packet.size()) * 8;
  append(prefix, packet_magic, 4);
  append(prefix, 0, 4);
  append(prefix, stream.begin, 8);
  append(prefix, stream.now, 8);
  append(prefix, bits, 8);
  append(prefix, bits, 8);
  append(prefix, stream.packets++, 8);
  append(prefix, 0, 8);
  append(prefix, cpu, 4);
  for (const std::string* part : {&prefix, &stream.packet}) {
    stream.out->write({reinterpret_cast<const u8*>(part->data()), part->size()});
  }
  stream.packet.clear();
  stream.begin = stream.now;
}

void CtfWriter::finish(u64 end_time) {
  for (u32 cpu = 0; cpu < streams_.size(); ++cpu) {
    Stream& stream = streams_[cpu];
    stream.now = std::max(stream.now, end_time);
    flush(stream, cpu);
  }
}

CtfWriter::Thread* CtfWriter::thread_of(u64 number) {
  const auto found = threads_.find(number);
  if (found != threads_.end()) return &found->second;
  return threads_.size() == most_threads ? nullptr : &threads_[number];
}

std::string_view CtfWriter::source_name(u16 source) const {
  return source < header_->sources.size() ? std::string_view(header_->sources[source]) : "unknown";
}

}  // namespace vitrine
