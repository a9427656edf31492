// What a local APIC tells of itself: who is in whose way and since when.
#include <utility>

#include "machine/devices/local_apic/local_apic.hpp"
#include "machine/devices/local_apic/registers.hpp"

namespace vitrine {

using namespace apic;

void LocalApic::programmed(ControllerRegister which, u64 before, u64 after, u8 pin) const {
  if (before == after) return;
  record({.address = context_.ledger.context.address,
          .other = before,
          .extra = after,
          .kind = RecordKind::ControllerProgrammed,
          .pin = pin,
          .detail = static_cast<u8>(which)});
}

/// Once for each request and kind of obstacle.
void LocalApic::tell_blocked(u8 vector) {
  const VectorState& entry = state_.vectors[vector];
  Record told{.id = entry.pending.value, .kind = RecordKind::Blocked, .vector = vector, .pin = entry.pending_pin};
  const u8 own = priority_class(vector);
  if (own <= in_service_class()) {
    if (state_.told_in_service.has(vector)) return;
    state_.told_in_service.add(vector);
    const VectorState& other = state_.vectors[*state_.in_service.highest()];
    told.detail = static_cast<u8>(Obstacle::PriorityTooLow);
    told.address = other.in_service_by;
    told.other = other.serving.value;
    told.since = other.in_service_since.value;
    told.extra = processor_priority();
  } else if (own <= priority_class(state_.task_priority)) {
    if (state_.told_task_priority.has(vector)) return;
    state_.told_task_priority.add(vector);
    told.detail = static_cast<u8>(Obstacle::PriorityTooLow);
    told.address = state_.task_priority_set.by;
    told.since = state_.task_priority_set.since.value;
    told.extra = processor_priority();
  } else {
    const std::optional<u8> first = winner();
    if (!first || *first == vector || state_.told_higher.has(vector)) return;
    state_.told_higher.add(vector);
    const VectorState& other = state_.vectors[*first];
    told.detail = static_cast<u8>(Obstacle::HigherPending);
    told.other = other.pending.value;
    told.since = other.pending_since.value;
  }
  record(std::move(told));
}

void LocalApic::tell_all_blocked() {
  if (state_.requests.empty()) return;
  state_.requests.for_each([this](u8 vector) { tell_blocked(vector); });
}

void LocalApic::tell_entry_masked(ApicPin source, RequestId request) {
  const bool by_base = !globally_enabled();
  const bool disabled = by_base || !software_enabled();
  const Setting setting = by_base    ? state_.base_set
                          : disabled ? state_.spurious_vector_set
                                     : state_.lvt_set[index_of(source)];
  record({.id = request.value,
          .address = setting.by,
          .since = setting.since.value,
          .extra = u64{by_base},
          .kind = RecordKind::Blocked,
          .vector = static_cast<u8>(local_vector(source)),
          .pin = static_cast<u8>(source),
          .detail = static_cast<u8>(disabled ? Obstacle::ApicDisabled : Obstacle::EntryMasked)});
}

/// RESET and INIT take all requests away.
void LocalApic::withdraw_all() {
  state_.requests.for_each([this](u8 vector) {
    const VectorState& entry = state_.vectors[vector];
    record({.id = entry.pending.value, .kind = RecordKind::Withdrawn, .vector = vector, .pin = entry.pending_pin});
  });
  withdraw_external();
}

/// An ExtINT that came by a message and waits.
void LocalApic::withdraw_external() {
  const RequestId request = std::exchange(state_.external, RequestId{});
  if (request != RequestId{}) record({.id = request.value, .kind = RecordKind::Withdrawn, .pin = no_pin});
}

}  // namespace vitrine
