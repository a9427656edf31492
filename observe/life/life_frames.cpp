// Whose handlers run on each CPU, nested in which others, and which threads they interrupt and wake.
#include <algorithm>

#include "observe/device_words.hpp"
#include "observe/life/life.hpp"

namespace vitrine {

void LifeTracker::delivered(const Record& record) {
  CpuState& cpu = cpu_state(record.cpu);
  // A frame at the same place has overwritten the older one: that handler will never return.
  for (std::size_t i = cpu.frames.size(); i-- > 0;) {
    if (cpu.frames[i].frame == record.frame) drop_frame(cpu, i);
  }
  if (cpu.frames.size() == most_frames) drop_frame(cpu, 0);

  const u64 life = record.id != 0 ? record.id : cpu.spurious_of;
  cpu.spurious_of = 0;
  Entry* entry = life != 0 ? entry_of(life) : nullptr;
  if (entry == nullptr && record.id != 0) entry = &make(record.id, vector_key(record.vector));
  if (entry != nullptr) {
    entry->life.add(record);
    entry->life.thread = cpu.thread;
    if (cpu.thread) {
      keep_name(*entry, *cpu.thread);
    }
    if (record.id != 0) {
      reopen(*entry);
      entry->on_its_way = false;
      ++entry->frames;
      settle(*entry);
    }
  }
  cpu.frames.push_back({.id = record.id,
                        .frame = record.frame,
                        .address = record.address,
                        .interrupted = record.other,
                        .time = record.time,
                        .vector = record.vector,
                        .kind = static_cast<DeliveryKind>(record.detail)});
  cpu.links.push_back({.serial = ++last_serial_, .parent = cpu.current, .life = life});
  cpu.current = last_serial_;
}

void LifeTracker::drop_frame(CpuState& cpu, std::size_t index) {
  const Link link = cpu.links[index];
  const u64 id = cpu.frames[index].id;
  if (index + 1 == cpu.frames.size()) {
    cpu.frames.pop_back();
    cpu.links.pop_back();
  } else {
    cpu.frames.erase(cpu.frames.begin() + static_cast<std::ptrdiff_t>(index));
    cpu.links.erase(cpu.links.begin() + static_cast<std::ptrdiff_t>(index));
  }
  for (Link& each : cpu.links) {
    if (each.parent == link.serial) each.parent = link.parent;
  }
  if (cpu.current == link.serial) cpu.current = link.parent;
  suspended_.for_each([&](u64, u64& serial) {
    if (serial == link.serial) serial = link.parent;
  });
  Entry* entry = id != 0 ? entry_of(id) : nullptr;
  if (entry == nullptr || entry->frames == 0) return;
  --entry->frames;
  settle(*entry);
}

LifeTracker::CpuState* LifeTracker::holder_of(u8 cpu, u64 frame, u64 id, std::size_t& index) {
  for (std::size_t step = 0; step < cpus_.size(); ++step) {
    // This one first.
    const std::size_t number = step == 0 ? cpu : step <= cpu ? step - 1 : step;
    CpuState& state = cpus_[number];
    for (index = state.frames.size(); index-- > 0;) {
      if (state.frames[index].frame == frame && state.frames[index].id == id) return &state;
    }
  }
  return nullptr;
}

void LifeTracker::returned(const Record& record) {
  CpuState& here = cpu_state(record.cpu);
  std::size_t index = here.frames.size() - 1;
  const bool is_innermost =
      !here.frames.empty() && here.frames[index].frame == record.frame && here.frames[index].id == record.id;
  CpuState* holder = is_innermost ? &here : holder_of(record.cpu, record.frame, record.id, index);
  if (holder == nullptr) return;
  const Link link = holder->links[index];
  if (Entry* entry = link.life != 0 ? entry_of(link.life) : nullptr) entry->life.add(record);
  drop_frame(*holder, index);
  if (&here != holder) bring(here, link.parent);
  here.current = link.parent;
}

/// A thread goes on here that was interrupted elsewhere: the handler that runs on it, and those below, come with it.
void LifeTracker::bring(CpuState& here, u64 serial) {
  std::vector<std::pair<LiveFrame, Link>> moved;
  for (CpuState& there : cpus_) {
    if (&there == &here) continue;
    while (serial != 0) {
      const auto found = std::ranges::find(there.links, serial, &Link::serial);
      if (found == there.links.end()) break;
      const auto index = found - there.links.begin();
      moved.emplace_back(there.frames[static_cast<std::size_t>(index)], *found);
      if (there.current == serial) there.current = 0;
      serial = found->parent;
      there.frames.erase(there.frames.begin() + index);
      there.links.erase(found);
    }
  }
  for (auto each = moved.rbegin(); each != moved.rend(); ++each) {
    if (here.frames.size() == most_frames) drop_frame(here, 0);
    here.frames.push_back(each->first);
    here.links.push_back(each->second);
  }
}

void LifeTracker::exception(const Record& record) {
  CpuState& cpu = cpu_state(record.cpu);
  if (Entry* failed = cpu.failed != 0 ? entry_of(cpu.failed) : nullptr) failed->life.add(record);
  cpu.failed = 0;
  if (record.id == 0) return;
  Entry& entry = make(record.id, vector_key(record.vector));
  entry.on_its_way = entry.acknowledged = true;
  entry.life.add(record);
}

void LifeTracker::add_thread(Entry& entry, const Record& record) {
  entry.life.add(record);
  keep_name(entry, record.other);
}

/// A life has no more names than records, however many threads its handler speaks of.
void LifeTracker::keep_name(Entry& entry, u64 thread) {
  const std::string* name = names_.find(thread);
  if (name != nullptr && entry.life.thread_names.size() < Life::most_records)
    entry.life.thread_names.insert({thread, *name});
}

void LifeTracker::thread_record(const Record& record) {
  switch (record.kind) {
    case RecordKind::ThreadRuns:
      return thread_runs(record);
    case RecordKind::ThreadWoken:
      return thread_woken(record);
    case RecordKind::ThreadNamed:
      return names_.set(record.other, printable_thread_name(record));
    case RecordKind::ThreadBlocked:
      woken_.erase(record.other);  // whoever wakes it next does
      return;
    default:  // ThreadExited
      names_.erase(record.other);
      woken_.erase(record.other);
      suspended_.erase(record.other);
  }
}

void LifeTracker::thread_runs(const Record& record) {
  CpuState& cpu = cpu_state(record.cpu);
  if (const u64* woken = woken_.find(record.other)) {
    if (Entry* entry = entry_of(*woken)) add_thread(*entry, record);
    woken_.erase(record.other);
  }
  if (cpu.thread == record.other) return;
  // The handler that runs now stays behind on the thread's stack.
  if (cpu.thread && cpu.current != 0) suspended_.set(*cpu.thread, cpu.current);
  const u64* suspended = suspended_.find(record.other);
  const u64 current = suspended != nullptr ? *suspended : 0;
  suspended_.erase(record.other);
  bring(cpu, current);
  cpu.current = current;
  cpu.thread = record.other;
}

void LifeTracker::thread_woken(const Record& record) {
  u64 life = record.id;
  if (const Link* link = current_link(record.cpu); life == 0 && link != nullptr) life = link->life;
  Entry* entry = life != 0 ? entry_of(life) : nullptr;
  if (entry == nullptr) return;
  add_thread(*entry, record);
  if (cpu_state(record.cpu).thread == record.other) return;                  // it runs
  if (woken_.find(record.other) == nullptr) woken_.set(record.other, life);  // the first who woke it did it
}

}  // namespace vitrine
