#include "observe/life/life.hpp"

#include <algorithm>

namespace vitrine {

namespace {

constexpr std::size_t kept_first = Life::most_records * 3 / 4;
constexpr std::size_t most_copied = 16;  // steps before a message, that each of its receivers shares

/// What comes without a line is kept apart by who sends it.
int origin_key(u8 pin, u16 source) { return is_line(pin) ? pin : 512 + (source & 0xFF) * 32 + (pin & 31); }

}  // namespace

void Life::leave_out() {
  records.erase(records.begin() + kept_first);
  ++left_out;
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

const Record* Life::later_origin() const {
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

void LifeTracker::Entry::begin(u64 id, int its_key) {
  life.id = id;
  life.records.clear();
  life.left_out = 0;
  life.closed = life.pending = life.in_service = life.in_handler = false;
  life.thread.reset();
  if (!life.thread_names.empty()) life.thread_names.clear();
  key = its_key;
  pending_in.clear();
  in_service.clear();
  frames = 0;
  on_its_way = acknowledged = false;
}

LifeTracker::Entry& LifeTracker::make(u64 id, int key) {
  if (Entry* known = entry_of(id)) {  // only in a damaged trace
    reopen(*known);
    return *known;
  }
  if (open_.size() >= most_open) {
    entries_.remove(open_.front());
    open_.erase(open_.begin());
  }
  add_open(id);
  Entry& entry = entries_.add(id);
  entry.begin(id, key);
  return entry;
}

void LifeTracker::add_open(u64 id) {
  if (open_.empty() || open_.back() < id) {
    open_.push_back(id);
  } else {
    open_.insert(std::ranges::lower_bound(open_, id), id);
  }
}

void LifeTracker::open_again(Entry& entry) {
  entry.life.closed = false;
  ended_at(entry.key).erase(entry.life.id);
  add_open(entry.life.id);
}

void LifeTracker::close(Entry& entry) {
  entry.life.closed = true;
  const u64 id = entry.life.id;
  if (open_.back() == id) {
    open_.pop_back();
  } else {
    open_.erase(std::ranges::lower_bound(open_, id));
  }
  if (const std::optional<u64> oldest = ended_at(entry.key).push(id)) entries_.remove(*oldest);
}

void LifeTracker::add_ended(std::size_t index) {
  if (index >= ended_.size()) ended_.resize(index + 1);
  ended_[index] = std::make_unique<Ended>();
}

void LifeTracker::add_cpus(u8 last) { cpus_.resize(std::size_t{last} + 1); }

const LifeTracker::Link* LifeTracker::current_link(u8 cpu) const {
  if (cpu >= cpus_.size()) return nullptr;
  const CpuState& state = cpus_[cpu];
  const auto found = std::ranges::find(state.links, state.current, &Link::serial);
  return found == state.links.end() ? nullptr : &*found;
}

void LifeTracker::add_step_slowly(Entry& entry, const Record& record) {
  entry.life.add(record);
  settle(entry);
}

void LifeTracker::consume(const Record& record) {
  Entry* entry = record.id != 0 ? entry_of(record.id) : nullptr;
  switch (record.kind) {
    case RecordKind::Raised:
      return raised(record);
    case RecordKind::MessageSent:
      return message_sent(record);
    case RecordKind::MessageLost:
    case RecordKind::CpuReset:
    case RecordKind::CpuStarted:
    case RecordKind::Lowered:
    case RecordKind::LineLost:
      if (entry != nullptr) lost(*entry, record);
      return;
    case RecordKind::Copied:
      return copied(record);
    case RecordKind::Merged:
      return merged(record);
    case RecordKind::Latched:
      if (entry == nullptr || entry->life.closed) return latched_anew(record);
      entry->on_its_way = false;
      entry->acknowledged = false;
      entry->pending_in.add(record.source);
      break;
    case RecordKind::Withdrawn:
      if (entry != nullptr) entry->pending_in.remove(record.source);
      break;
    case RecordKind::Acknowledged:
      if (entry == nullptr) return;
      if (static_cast<AcknowledgeKind>(record.detail) == AcknowledgeKind::Poll) {
        entry->pending_in.remove(record.source);
        break;
      }
      // The other chip of a cascade gives it away too; a controller on another way has nothing to wait for any more.
      entry->pending_in.clear();
      entry->on_its_way = true;
      entry->acknowledged = true;
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
      return delivery_failed(record);
    case RecordKind::ThreadRuns:
    case RecordKind::ThreadWoken:
    case RecordKind::ThreadNamed:
    case RecordKind::ThreadBlocked:
    case RecordKind::ThreadExited:
      return thread_record(record);
    case RecordKind::Blocked:
      if (is_others_wire(record)) return;
      if (entry != nullptr && is_swallowed(record)) entry->on_its_way = false;
      break;
    default:  // Woken, Attended: no more than a step of the life
      break;
  }
  if (entry != nullptr) add_step(*entry, record);
}

void LifeTracker::raised(const Record& record) {
  Entry& entry = make(record.id, origin_key(record.pin, record.source));
  entry.on_its_way = true;
  entry.acknowledged = false;
  add_step(entry, record);
}

void LifeTracker::message_sent(const Record& record) {
  if (record.id == 0) return;
  Entry* entry = entry_of(record.id);
  if (entry == nullptr) entry = &make(record.id, origin_key(record.pin, record.source));
  reopen(*entry);
  entry->pending_in.remove(record.source);
  entry->on_its_way = (record.extra & message_extra::deassert) == 0;  // an INIT de-assert does nothing
  entry->acknowledged = false;
  add_step(*entry, record);
}

/// A level whose life had ended, or that outlived what we remember.
void LifeTracker::latched_anew(const Record& record) {
  if (record.id == 0) return;
  Entry* entry = entry_of(record.id);
  if (entry == nullptr) {
    entry = &make(record.id, record.vector != 0 ? vector_key(record.vector) : int{record.pin});
  }
  reopen(*entry);
  entry->on_its_way = false;
  entry->acknowledged = false;
  entry->pending_in.add(record.source);
  add_step(*entry, record);
}

/// On its way it has met its end, unless a controller has heard of it.
void LifeTracker::lost(Entry& entry, const Record& record) {
  const Life& life = entry.life;
  const bool is_kept =
      record.kind == RecordKind::Lowered    ? !entry.pending_in.empty() || life.first(RecordKind::Latched) != nullptr
      : record.kind == RecordKind::LineLost ? entry.acknowledged || life.first(RecordKind::MessageSent) != nullptr
                                            : false;
  if (!is_kept) entry.on_its_way = false;
  add_step(entry, record);
}

void LifeTracker::delivery_failed(const Record& record) {
  Entry* entry = record.id != 0 ? entry_of(record.id) : nullptr;
  if (entry == nullptr) entry = &make(record.id, vector_key(record.vector));  // INT n, NMI
  entry->on_its_way = false;
  cpu_state(record.cpu).failed = record.id;
  add_step(*entry, record);
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
  entry.life.records.assign(before.begin(), before.end());
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
  const auto index = static_cast<std::size_t>(key);
  const Ended* few = index < ended_.size() ? ended_[index].get() : nullptr;
  for (std::size_t i = 0; few != nullptr && i < few->size(); ++i) {
    if (const Life* life = find((*few)[i])) lives.push_back(life);
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
