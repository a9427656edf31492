// Requests that wait for an EOI of an earlier one, at a local APIC or at the I/O APIC.
#include <fmt/format.h>

#include <algorithm>

#include "observe/life/places.hpp"
#include "observe/names.hpp"
#include "observe/why/diagnosis.hpp"

namespace vitrine {

namespace {

constexpr std::string_view write_apic_eoi =
    "Write 0 to the local APIC's EOI register (offset 0xB0; MSR 0x80B in x2APIC mode) in the handler, on every path to "
    "its IRET.";

}  // namespace

/// An EOI that went where nothing was in service, while the handler of `served` ran, from the CPU that ran it.
const Record* Diagnosis::misdirected_end(const Life& served) const {
  const Record* entered = served.last(RecordKind::Delivered);
  const Record* left = served.last(RecordKind::Returned);
  if (entered == nullptr) return nullptr;
  const auto fits = [&](const std::optional<Record>& end) {
    return end && end->id == 0 && end->cpu == entered->cpu && end->time >= entered->time &&
           (left == nullptr || end->time <= left->time);
  };
  for (const ControllerState& controller : state_.controllers()) {
    if (fits(controller.last_end)) return &*controller.last_end;
  }
  for (const ApicPicture::Local& local : state_.apics().locals()) {
    if (fits(local.last_end)) return &*local.last_end;
  }
  return nullptr;
}

/// Why `served` is still in service in a local APIC.
Diagnosis::Story Diagnosis::unended_in_apic(const Life& served) const {
  const Record* entered = served.last(RecordKind::Delivered);
  const Record* failed = served.last(RecordKind::DeliveryFailed);
  if (entered == nullptr && failed != nullptr) {
    Story story = refusal(*failed);
    story.clause += ", so nobody sent its EOI";
    return story;
  }
  if (entered == nullptr) return {.cause = "missing-eoi", .clause = "no handler has ended it", .stuck = true};
  if (served.in_handler) return not_returned(served);
  Story story{.cause = "missing-eoi", .stuck = true};
  add_handler_evidence(served, story);
  const std::string handler = at(entered->address);
  if (const Record* other = misdirected_end(served)) {
    story.cause = "eoi-wrong-controller";
    story.clause =
        fmt::format("{} sent its EOI to the {}, which had nothing in service", handler, controller_name(other->source));
    story.evidence.push_back(
        {.time = other->time,
         .text = fmt::format("EOI to the {} at {}, in vain", controller_name(other->source), at(other->address)),
         .address = other->address});
  } else {
    story.clause = fmt::format("{} returned without EOI", handler);
  }
  story.advice.emplace_back(write_apic_eoi);
  return story;
}

Diagnosis::Story Diagnosis::in_service_of_apic(const Standing& standing, const Life& life) const {
  const Life* served = standing.other != 0 ? state_.lives().find(standing.other) : nullptr;
  const std::string chip = controller_name(standing.place);
  if (served == nullptr) {
    return {.cause = "missing-eoi",
            .clause = fmt::format("the {} has one of the same or a higher class in service{}, and got no EOI for it",
                                  chip, since(standing.by.time)),
            .advice = {std::string(write_apic_eoi)},
            .stuck = true};
  }
  Story story = unended_in_apic(*served);
  const bool own = served->origin() != nullptr && life.origin() != nullptr &&
                   served->origin()->pin == life.origin()->pin && served->origin()->source == life.origin()->source;
  story.clause = fmt::format("the {} still has {} in service{}{}; {}", chip, own ? "it" : name_of(served->id),
                             since(standing.by.time), own ? "" : ", whose class is not lower", story.clause);
  return story;
}

/// The I/O APIC of version 11h has no EOI register (82093AA; ICH9, 13.5.1).
std::string_view Diagnosis::eoi_not_told_advice() const {
  const auto& options = state_.header().options;
  if (std::ranges::find(options, TraceOption{"board", "pc"}) != options.end()) {
    return "Clear bit 12 of SVR: this board's I/O APIC (version 11h) has no EOI register that could be told instead of "
           "it.";
  }
  return "Write the vector ({:#04x}) to the I/O APIC's EOI register (offset 0x40) as well, or clear bit 12 of SVR.";
}

Diagnosis::Story Diagnosis::remote_irr(const Standing& standing, const Life&, int) const {
  const ApicPicture::Pin& pin = state_.apics().io_apic()->pin[standing.pin];
  const std::string begin =
      fmt::format("the I/O APIC sent this line's request before at {} and waits for its EOI (remote IRR of entry {})",
                  moment(standing.by.time), standing.pin);
  const Life* served = standing.other != 0 ? state_.lives().find(standing.other) : nullptr;
  for (const ApicPicture::Local& local : state_.apics().locals()) {
    const bool serves = std::ranges::any_of(
        local.in_service, [&](const auto& each) { return each.second.id == standing.other && standing.other != 0; });
    if (served == nullptr || !serves) continue;
    Story story = unended_in_apic(*served);
    story.clause = fmt::format("{}; {}", begin, story.clause);
    return story;
  }
  for (const ApicPicture::Local& local : state_.apics().locals()) {
    if ((local.spurious_vector.value & apic_register::suppress_broadcast) == 0) continue;
    const SetBy by{.time = local.spurious_vector.time, .address = local.spurious_vector.address};
    Story story =
        set_off("eoi-not-told",
                fmt::format("{}; CPU {}'s local APIC tells no I/O APIC of its EOIs (SVR bit 12)", begin, local.cpu), by,
                fmt::format(fmt::runtime(eoi_not_told_advice()), pin.entry.vector()));
    story.stuck = true;
    return story;
  }
  return {.cause = "remote-irr",
          .clause = fmt::format("{}; no EOI of vector {:#04x} has come", begin, pin.entry.vector()),
          .advice = {"Don't change the vector of a level entry between the interrupt and its EOI."},
          .stuck = true};
}

}  // namespace vitrine
