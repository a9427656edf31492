#include "observe/life/life.hpp"

#include <algorithm>

#include "observe/device_words.hpp"

namespace vitrine {

namespace {

constexpr std::size_t kept_first = Life::most_records * 3 / 4;

constexpr int vector_key(u8 vector) { return 256 + vector; }

u32 controller_bit(u16 source) { return u32{1} << (source & 31); }

void add(Life& life, const Record& record) {
  if (life.records.size() == Life::most_records) {
    life.records.erase(life.records.begin() + kept_first);
    ++life.left_out;
  }
  life.records.push_back(record);
}

template <class Map>
void bound(Map& map, std::size_t most) {
  if (map.size() > most) map.erase(map.begin());
}

}  // namespace

const Record* Life::first(RecordKind kind) const {
  const auto found = std::ranges::find(records, kind, &Record::kind);
  return found == records.end() ? nullptr : &*found;
}

const Record* Life::last(RecordKind kind) const {
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (record->kind == kind) return &*record;
  }
  return nullptr;
}

std::optional<u8> Life::line() const {
  if (const Record* raised = first(RecordKind::Raised)) return raised->pin;
  if (const Record* latched = first(RecordKind::Latched)) return latched->pin;
  return std::nullopt;
}

LifeTracker::Entry* LifeTracker::entry_of(u64 id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

LifeTracker::Entry& LifeTracker::make(u64 id, int key) {
  if (Entry* known = entry_of(id)) {  // only in a damaged trace
    reopen(*known);
    return *known;
  }
  Entry& entry = entries_[id];
  entry.key = key;
  entry.life.id = id;
  open_.insert(std::ranges::lower_bound(open_, id), id);
  if (open_.size() > most_open) {
    const u64 oldest = open_.front() == id ? open_[1] : open_.front();
    open_.erase(std::ranges::lower_bound(open_, oldest));
    entries_.erase(oldest);
  }
  return entry;
}

void LifeTracker::reopen(Entry& entry) {
  if (!entry.life.closed) return;
  entry.life.closed = false;
  std::erase(ended_[entry.key], entry.life.id);
  open_.insert(std::ranges::lower_bound(open_, entry.life.id), entry.life.id);
}

/// Closes the life if nothing more is to come. `entry` stays valid.
void LifeTracker::settle(Entry& entry) {
  entry.life.pending = entry.pending_in != 0 || (entry.on_its_way && !entry.acknowledged);
  entry.life.in_service = entry.in_service != 0;
  entry.life.in_handler = entry.frames != 0;
  const bool busy = entry.on_its_way || entry.pending_in != 0 || entry.in_service != 0 || entry.frames != 0;
  if (busy || entry.life.closed) return;
  entry.life.closed = true;
  const u64 id = entry.life.id;
  if (const auto found = std::ranges::lower_bound(open_, id); found != open_.end() && *found == id) open_.erase(found);
  std::vector<u64>& ended = ended_[entry.key];
  ended.push_back(id);
  if (ended.size() <= kept_ended) return;
  entries_.erase(ended.front());
  ended.erase(ended.begin());
}

LifeTracker::CpuState& LifeTracker::cpu_state(u8 cpu) {
  if (cpu >= cpus_.size()) cpus_.resize(std::size_t{cpu} + 1);
  return cpus_[cpu];
}

const LifeTracker::Link* LifeTracker::current_link(u8 cpu) const {
  if (cpu >= cpus_.size()) return nullptr;
  const CpuState& state = cpus_[cpu];
  const auto found = std::ranges::find(state.links, state.current, &Link::serial);
  return found == state.links.end() ? nullptr : &*found;
}

void LifeTracker::consume(const Record& record) {
  Entry* entry = record.id != 0 ? entry_of(record.id) : nullptr;
  switch (record.kind) {
    case RecordKind::Raised:
      entry = &make(record.id, record.pin);
      entry->on_its_way = true;
      entry->acknowledged = false;
      break;
    case RecordKind::Merged:
      return merged(record);
    case RecordKind::Latched:
      if (record.id == 0) return;
      if (entry == nullptr) entry = &make(record.id, record.pin);  // a level that outlived what we remember
      reopen(*entry);
      entry->on_its_way = false;
      entry->acknowledged = false;
      entry->pending_in |= controller_bit(record.source);
      break;
    case RecordKind::Lowered:
      if (entry != nullptr && entry->pending_in == 0 && entry->life.first(RecordKind::Latched) == nullptr) {
        entry->on_its_way = false;
      }
      break;
    case RecordKind::LineLost:
      if (entry != nullptr) entry->on_its_way = false;
      break;
    case RecordKind::Withdrawn:
      if (entry != nullptr) entry->pending_in &= ~controller_bit(record.source);
      break;
    case RecordKind::Acknowledged:
      if (entry == nullptr) return;
      if (static_cast<AcknowledgeKind>(record.detail) == AcknowledgeKind::Poll) {
        entry->pending_in &= ~controller_bit(record.source);
      } else {
        entry->pending_in = 0;  // the other chip of a cascade gives it away too
        entry->on_its_way = true;
        entry->acknowledged = true;
      }
      break;
    case RecordKind::InService:
      if (entry != nullptr) entry->in_service |= controller_bit(record.source);
      break;
    case RecordKind::EndOfInterrupt:
      if (entry != nullptr) entry->in_service &= ~controller_bit(record.source);
      break;
    case RecordKind::Spurious:
      return spurious(record);
    case RecordKind::Delivered:
      return delivered(record);
    case RecordKind::Returned:
      return returned(record);
    case RecordKind::Exception:
      return exception(record);
    case RecordKind::DeliveryFailed:
      if (entry == nullptr) entry = &make(record.id, vector_key(record.vector));  // INT n, NMI
      entry->on_its_way = false;
      cpu_state(record.cpu).failed = record.id;
      break;
    case RecordKind::ThreadRuns:
      return thread_runs(record);
    case RecordKind::ThreadWoken:
      return thread_woken(record);
    case RecordKind::ThreadNamed:
      names_[record.other] = printable_thread_name(record);
      return bound(names_, most_threads);
    case RecordKind::ThreadBlocked:
      woken_.erase(record.other);  // whoever wakes it next does
      return;
    case RecordKind::ThreadExited:
      names_.erase(record.other);
      woken_.erase(record.other);
      cpu_state(record.cpu).suspended.erase(record.other);
      return;
    default:  // Blocked, Woken, Attended: no more than a step of the life
      break;
  }
  if (entry == nullptr) return;
  add(entry->life, record);
  settle(*entry);
}

void LifeTracker::merged(const Record& record) {
  if (Entry* entry = entry_of(record.id)) {
    add(entry->life, record);
    if (record.id == record.other) return;
    if (entry->pending_in == 0) {
      entry->on_its_way = false;
      settle(*entry);
    }
  }
  if (Entry* other = entry_of(record.other)) add(other->life, record);
}

void LifeTracker::spurious(const Record& record) {
  CpuState& cpu = cpu_state(record.cpu);
  cpu.spurious_of = record.other;
  if (Entry* entry = entry_of(record.other)) add(entry->life, record);
}

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
    add(entry->life, record);
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
  cpu.frames.erase(cpu.frames.begin() + static_cast<std::ptrdiff_t>(index));
  cpu.links.erase(cpu.links.begin() + static_cast<std::ptrdiff_t>(index));
  for (Link& each : cpu.links) {
    if (each.parent == link.serial) each.parent = link.parent;
  }
  if (cpu.current == link.serial) cpu.current = link.parent;
  for (auto& [thread, serial] : cpu.suspended) {
    if (serial == link.serial) serial = link.parent;
  }
  Entry* entry = id != 0 ? entry_of(id) : nullptr;
  if (entry == nullptr || entry->frames == 0) return;
  --entry->frames;
  settle(*entry);
}

void LifeTracker::returned(const Record& record) {
  CpuState& cpu = cpu_state(record.cpu);
  for (std::size_t i = cpu.frames.size(); i-- > 0;) {
    if (cpu.frames[i].frame != record.frame || cpu.frames[i].id != record.id) continue;
    const Link link = cpu.links[i];
    if (Entry* entry = link.life != 0 ? entry_of(link.life) : nullptr) add(entry->life, record);
    drop_frame(cpu, i);
    cpu.current = link.parent;
    return;
  }
}

void LifeTracker::exception(const Record& record) {
  CpuState& cpu = cpu_state(record.cpu);
  if (Entry* failed = cpu.failed != 0 ? entry_of(cpu.failed) : nullptr) add(failed->life, record);
  cpu.failed = 0;
  if (record.id == 0) return;
  Entry& entry = make(record.id, vector_key(record.vector));
  entry.on_its_way = entry.acknowledged = true;
  add(entry.life, record);
}

void LifeTracker::add_thread(Entry& entry, const Record& record) {
  add(entry.life, record);
  keep_name(entry, record.other);
}

/// A life has no more names than records, however many threads its handler speaks of.
void LifeTracker::keep_name(Entry& entry, u64 thread) {
  const auto name = names_.find(thread);
  if (name != names_.end() && entry.life.thread_names.size() < Life::most_records)
    entry.life.thread_names.insert(*name);
}

void LifeTracker::thread_runs(const Record& record) {
  CpuState& cpu = cpu_state(record.cpu);
  if (const auto woken = woken_.find(record.other); woken != woken_.end()) {
    if (Entry* entry = entry_of(woken->second)) add_thread(*entry, record);
    woken_.erase(woken);
  }
  if (cpu.thread == record.other) return;
  // The handler that runs now stays behind on the thread's stack.
  if (cpu.thread && cpu.current != 0) {
    cpu.suspended[*cpu.thread] = cpu.current;
    bound(cpu.suspended, most_threads);
  }
  const auto suspended = cpu.suspended.find(record.other);
  cpu.current = suspended != cpu.suspended.end() ? suspended->second : 0;
  if (suspended != cpu.suspended.end()) cpu.suspended.erase(suspended);
  cpu.thread = record.other;
}

void LifeTracker::thread_woken(const Record& record) {
  u64 life = record.id;
  if (const Link* link = current_link(record.cpu); life == 0 && link != nullptr) life = link->life;
  Entry* entry = life != 0 ? entry_of(life) : nullptr;
  if (entry == nullptr) return;
  add_thread(*entry, record);
  if (cpu_state(record.cpu).thread == record.other) return;  // it runs
  woken_.emplace(record.other, life);                        // the first who woke it did it
  bound(woken_, most_threads);
}

const Life* LifeTracker::find(u64 id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second.life;
}

u64 LifeTracker::running(u8 cpu) const {
  if (cpu >= cpus_.size()) return 0;
  const CpuState& state = cpus_[cpu];
  const auto found = std::ranges::find(state.links, state.current, &Link::serial);
  if (found == state.links.end()) return 0;
  return state.frames[static_cast<std::size_t>(found - state.links.begin())].id;
}

std::span<const LiveFrame> LifeTracker::frames(u8 cpu) const {
  return cpu < cpus_.size() ? std::span<const LiveFrame>(cpus_[cpu].frames) : std::span<const LiveFrame>();
}

std::vector<const Life*> LifeTracker::open() const {
  std::vector<const Life*> lives;
  lives.reserve(open_.size());
  for (const u64 id : open_) {
    if (const Life* life = find(id)) lives.push_back(life);
  }
  return lives;
}

std::vector<const Life*> LifeTracker::ended(int key) const {
  std::vector<const Life*> lives;
  const auto found = ended_.find(key);
  if (found == ended_.end()) return lives;
  for (const u64 id : found->second) {
    if (const Life* life = find(id)) lives.push_back(life);
  }
  return lives;
}

std::vector<const Life*> LifeTracker::ended_on_line(u8 line) const { return ended(line); }
std::vector<const Life*> LifeTracker::ended_with_vector(u8 vector) const { return ended(vector_key(vector)); }

std::string LifeTracker::thread_name(u64 thread) const {
  const auto found = names_.find(thread);
  return found == names_.end() ? std::string() : found->second;
}

}  // namespace vitrine
