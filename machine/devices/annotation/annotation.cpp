#include "machine/devices/annotation/annotation.hpp"

#include "abi/annotation.h"

namespace vitrine {

namespace {
constexpr u32 message_kind = ~VITRINE_THREAD_MASK;
constexpr unsigned name_bytes_in_message = 3;
}  // namespace

void Annotation::State::exchange(Archive& archive) {
  archive(naming, named, name, length, wakeups);
  if (length > longest_name) {
    archive.refuse(Archive::Error::BadValue);
    length = 0;
  }
}

void Annotation::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(state_);
}

u64 Annotation::peek(Region, u64 offset, AccessSize size) const {
  if (offset == 0 && size.value == 4) return VITRINE_ANNOTATION_MAGIC;
  return size.value >= 8 ? ~u64{0} : (u64{1} << 8 * size.value) - 1;
}

void Annotation::write(Region, u64 offset, AccessSize size, u64 value) {
  if (offset != 0 || size.value != 4) return;
  const u32 message = static_cast<u32>(value);
  const u32 thread = message & VITRINE_THREAD_MASK;
  switch (message & message_kind) {
    case VITRINE_THREAD_RUNS:
      return runs(thread);
    case VITRINE_THREAD_WOKEN:
      return woken(thread);
    case VITRINE_THREAD_BLOCKED:
      return record(RecordKind::ThreadBlocked, thread);
    case VITRINE_THREAD_EXITED:
      if (wakeup_of(thread).thread == thread) wakeup_of(thread) = Wakeup{};
      return record(RecordKind::ThreadExited, thread);
    case VITRINE_THREAD_NAME:
      state_.naming = true;
      state_.named = thread;
      state_.name.fill(0);
      state_.length = 0;
      return;
    case VITRINE_NAME_BYTES:
      return name_bytes(message);
    default:
      return;
  }
}

void Annotation::record(RecordKind kind, u32 thread, Tick since) const {
  context_.ledger.append({.address = context_.ledger.context.address,
                          .other = thread,
                          .since = since.value,
                          .kind = kind,
                          .source = context_.source.value,
                          .cpu = context_.ledger.context.cpu});
}

void Annotation::woken(u32 thread) {
  wakeup_of(thread) = {thread, context_.clock.now()};
  record(RecordKind::ThreadWoken, thread);
}

void Annotation::runs(u32 thread) {
  Wakeup& wakeup = wakeup_of(thread);
  Tick since{};
  if (wakeup.thread == thread) {
    since = wakeup.time;
    wakeup = Wakeup{};
  }
  record(RecordKind::ThreadRuns, thread, since);
}

void Annotation::name_bytes(u32 bytes) {
  for (unsigned i = 0; i < name_bytes_in_message && state_.naming; ++i) {
    const u8 byte = static_cast<u8>(bytes >> 8 * i);
    if (byte != 0) state_.name[state_.length++] = byte;
    if (byte == 0 || state_.length == longest_name) finish_name();
  }
}

void Annotation::finish_name() {
  const auto half = [this](unsigned first) {
    u64 value = 0;
    for (unsigned i = 0; i < 8; ++i) value |= u64{state_.name[first + i]} << 8 * i;
    return value;
  };
  context_.ledger.append({.address = half(0),
                          .other = state_.named,
                          .frame = half(8),
                          .kind = RecordKind::ThreadNamed,
                          .source = context_.source.value,
                          .cpu = context_.ledger.context.cpu});
  state_.naming = false;
}

}  // namespace vitrine
