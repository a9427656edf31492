#include "observe/life/life.hpp"

#include <algorithm>

#include "observe/device_words.hpp"

namespace vitrine {

namespace {

constexpr std::size_t kept_first = Life::most_records * 3 / 4;
constexpr std::size_t most_copied = 16;  // steps before a message, that each of its receivers shares

/// What comes without a line is kept apart by who sends it.
int origin_key(u8 pin, u16 source) { return is_line(pin) ? pin : 512 + (source & 0xFF) * 32 + (pin & 31); }

}  // namespace

void Life::add(const Record& record) {
  if (records.size() == most_records) {
    records.erase(records.begin() + kept_first);
    ++left_out;
  }
  records.push_back(record);
}

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

const Record* Life::origin() const {
  // Most begin with it.
  if (!records.empty() && records.front().kind == RecordKind::Raised) return &records.front();
  for (const RecordKind kind : {RecordKind::Raised, RecordKind::MessageSent, RecordKind::Latched}) {
    if (const Record* record = first(kind)) return record;
  }
  return nullptr;
}

std::optional<u8> Life::line() const {
  const Record* from = origin();
  if (from == nullptr || from->kind == RecordKind::MessageSent || !is_line(from->pin)) return std::nullopt;
  return from->kind == RecordKind::Latched && from->vector != 0 ? std::nullopt : std::optional(from->pin);
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
  if (forgotten_.empty()) {
    entries_.try_emplace(id);
  } else {
    forgotten_.key() = id;
    entries_.insert(std::move(forgotten_));
  }
  Entry& entry = entries_.find(id)->second;
  entry.key = key;
  entry.life.id = id;
  open_.insert(std::ranges::lower_bound(open_, id), id);
  if (open_.size() > most_open) {
    const u64 oldest = open_.front() == id ? open_[1] : open_.front();
    open_.erase(std::ranges::lower_bound(open_, oldest));
    forget(oldest);
  }
  return entry;
}

void LifeTracker::forget(u64 id) {
  forgotten_ = entries_.extract(id);
  if (forgotten_.empty()) return;
  std::vector<Record> records = std::move(forgotten_.mapped().life.records);
  records.clear();
  forgotten_.mapped() = Entry{};
  forgotten_.mapped().life.records = std::move(records);
}

void LifeTracker::reopen(Entry& entry) {
  if (!entry.life.closed) return;
  entry.life.closed = false;
  std::erase(ended_[entry.key], entry.life.id);
  open_.insert(std::ranges::lower_bound(open_, entry.life.id), entry.life.id);
}

/// Closes the life if nothing more is to come. `entry` stays valid.
void LifeTracker::settle(Entry& entry) {
  entry.life.pending = !entry.pending_in.empty() || (entry.on_its_way && !entry.acknowledged);
  entry.life.in_service = !entry.in_service.empty();
  entry.life.in_handler = entry.frames != 0;
  const bool busy = entry.life.pending || entry.on_its_way || entry.life.in_service || entry.frames != 0;
  if (busy || entry.life.closed) return;
  entry.life.closed = true;
  const u64 id = entry.life.id;
  if (const auto found = std::ranges::lower_bound(open_, id); found != open_.end() && *found == id) open_.erase(found);
  std::vector<u64>& ended = ended_[entry.key];
  ended.push_back(id);
  if (ended.size() <= kept_ended) return;
  forget(ended.front());
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
      entry = &make(record.id, origin_key(record.pin, record.source));
      entry->on_its_way = true;
      entry->acknowledged = false;
      break;
    case RecordKind::MessageSent:
      if (record.id == 0) return;
      if (entry == nullptr) entry = &make(record.id, origin_key(record.pin, record.source));
      reopen(*entry);
      entry->pending_in.remove(record.source);
      entry->on_its_way = (record.extra & message_extra::deassert) == 0;  // an INIT de-assert does nothing
      entry->acknowledged = false;
      break;
    case RecordKind::MessageLost:
    case RecordKind::CpuReset:
    case RecordKind::CpuStarted:
      if (entry != nullptr) entry->on_its_way = false;
      break;
    case RecordKind::Copied:
      return copied(record);
    case RecordKind::Merged:
      return merged(record);
    case RecordKind::Latched:
      if (record.id == 0) return;
      if (entry == nullptr) {  // a level that outlived what we remember
        entry = &make(record.id, record.vector != 0 ? vector_key(record.vector) : int{record.pin});
      }
      reopen(*entry);
      entry->on_its_way = false;
      entry->acknowledged = false;
      entry->pending_in.add(record.source);
      break;
    case RecordKind::Lowered:
      if (entry != nullptr && entry->pending_in.empty() && entry->life.first(RecordKind::Latched) == nullptr) {
        entry->on_its_way = false;
      }
      break;
    case RecordKind::LineLost:
      if (entry != nullptr && !entry->acknowledged && entry->life.first(RecordKind::MessageSent) == nullptr) {
        entry->on_its_way = false;
      }
      break;
    case RecordKind::Withdrawn:
      if (entry != nullptr) entry->pending_in.remove(record.source);
      break;
    case RecordKind::Acknowledged:
      if (entry == nullptr) return;
      if (static_cast<AcknowledgeKind>(record.detail) == AcknowledgeKind::Poll) {
        entry->pending_in.remove(record.source);
      } else {
        // The other chip of a cascade gives it away too; a controller on another way has nothing to wait for any more.
        entry->pending_in.clear();
        entry->on_its_way = true;
        entry->acknowledged = true;
      }
      break;
    case RecordKind::InService:
      if (entry != nullptr) entry->in_service.add(record.source);
      break;
    case RecordKind::EndOfInterrupt:
      if (entry != nullptr) entry->in_service.remove(record.source);
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
      return names_.set(record.other, printable_thread_name(record));
    case RecordKind::ThreadBlocked:
      woken_.erase(record.other);  // whoever wakes it next does
      return;
    case RecordKind::ThreadExited:
      names_.erase(record.other);
      woken_.erase(record.other);
      suspended_.erase(record.other);
      return;
    case RecordKind::Blocked:
      if (is_others_wire(record)) return;
      if (entry != nullptr && is_swallowed(record)) entry->on_its_way = false;
      break;
    default:  // Woken, Attended: no more than a step of the life
      break;
  }
  if (entry == nullptr) return;
  entry->life.add(record);
  settle(*entry);
}

void LifeTracker::merged(const Record& record) {
  Entry* other = entry_of(record.other);
  if (Entry* entry = entry_of(record.id)) {
    entry->life.add(record);
    if (record.id == record.other) return;
    // What a masked 8259 still holds of a request that the APICs have delivered is in nobody's way.
    const bool stale = other != nullptr && other->life.closed;
    if (record.vector != 0) entry->pending_in.clear();  // in a local APIC: it has come all the way
    if (entry->pending_in.empty() && !stale) {
      entry->on_its_way = false;
      settle(*entry);
    }
    if (stale) return;
  }
  if (other != nullptr) other->life.add(record);
}

/// The same message for one more CPU: a life of its own, with the records that led to it.
void LifeTracker::copied(const Record& record) {
  if (record.id == 0 || record.id == record.other) return;
  const Entry* sent = entry_of(record.other);
  const int key = sent != nullptr ? sent->key : vector_key(record.vector);
  std::vector<Record> before;
  if (sent != nullptr) {
    for (const Record& each : sent->life.records) {
      if (before.size() == most_copied) break;
      before.push_back(each);
      if (each.kind == RecordKind::MessageSent) break;
    }
  }
  Entry& entry = make(record.id, key);
  entry.life.records = std::move(before);
  entry.on_its_way = true;
  entry.acknowledged = false;
  entry.life.add(record);
  settle(entry);
}

void LifeTracker::spurious(const Record& record) {
  CpuState& cpu = cpu_state(record.cpu);
  cpu.spurious_of = record.other;
  if (Entry* entry = entry_of(record.other)) entry->life.add(record);
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
std::vector<const Life*> LifeTracker::ended_of(u8 pin, u16 source) const { return ended(origin_key(pin, source)); }
std::vector<const Life*> LifeTracker::ended_with_vector(u8 vector) const { return ended(vector_key(vector)); }

std::string LifeTracker::thread_name(u64 thread) const {
  const std::string* name = names_.find(thread);
  return name != nullptr ? *name : std::string();
}

}  // namespace vitrine
