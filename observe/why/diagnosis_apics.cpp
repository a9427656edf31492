// What keeps a request from the CPU on its way through I/O APIC, messages and local APICs.
#include <fmt/format.h>

#include <algorithm>

#include "base/bits.hpp"
#include "observe/life/places.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"
#include "observe/why/diagnosis.hpp"

namespace vitrine {

namespace {

constexpr u8 class_of(u64 priority) { return static_cast<u8>(priority >> 4 & 0xF); }

/// One that a local APIC has accepted; the last of them.
const Record* acceptance(const Life& life, const ApicPicture& apics) {
  const Record* found = nullptr;
  for (const Record& record : life.records) {
    if (record.kind == RecordKind::Latched && apics.local(record.source) != nullptr) found = &record;
  }
  return found;
}

std::string sent_to(const Record& message) {
  const std::string text = message_text(message);
  const std::size_t to = text.find(" to ");
  return to == std::string::npos ? text : text.substr(to + 4);
}

}  // namespace

bool Diagnosis::goes_by_apics(const Life& life) const {
  const Record* from = life.origin();
  if (from != nullptr && !is_line(from->pin)) return true;
  return life.first(RecordKind::MessageSent) != nullptr || (from != nullptr && line_goes_by_apics(from->pin));
}

/// Lines lead to both kinds of controllers: the one that the guest uses counts.
bool Diagnosis::line_goes_by_apics(u8 line) const {
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  const u8 pin = io_apic_pin(line);
  if (chip == nullptr || !chip->in_use || pin >= ApicPicture::pins) return false;
  const ControllerState* old = state_.controller_of(line);
  return old == nullptr || !chip->pin[pin].entry.masked() || bit(old->mask, line & 7);
}

void Diagnosis::add_apic_obstacles(const Life& life, std::vector<Standing>& into) const {
  if (const Record* accepted = acceptance(life, state_.apics())) {
    const ApicPicture::Local& local = *state_.apics().local(accepted->source);
    add_local_obstacles(local, accepted->vector, into);
    add_cpu_obstacles(life, local.cpu, into);
    return;
  }
  const Record* from = life.origin();
  const Record* blocked = life.last(RecordKind::Blocked);
  const bool at_source = blocked != nullptr && static_cast<Obstacle>(blocked->detail) >= Obstacle::EntryMasked &&
                         static_cast<Obstacle>(blocked->detail) != Obstacle::RemoteIrr;
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  if (from == nullptr || !is_line(from->pin) || chip == nullptr) {
    if (!at_source) return;
    into.push_back({.obstacle = static_cast<Obstacle>(blocked->detail),
                    .place = blocked->source,
                    .pin = blocked->pin,
                    .by = {.time = blocked->since, .address = blocked->address},
                    .other = blocked->extra});
    return;
  }
  const u8 number = io_apic_pin(from->pin);
  const ApicPicture::Pin& pin = chip->pin[number];
  const std::optional<WantedEntry> wanted = wanted_entry(number);
  if (pin.entry.masked()) {
    into.push_back({.obstacle = Obstacle::EntryMasked,
                    .place = chip->source,
                    .pin = number,
                    .by = {.time = pin.masked.time, .address = pin.masked.address}});
  } else if (wanted && wanted->active_low != pin.entry.active_low()) {
    into.push_back({.special = Special::WrongPolarity,
                    .place = chip->source,
                    .pin = number,
                    .by = {.time = pin.written.time, .address = pin.written.address}});
  } else if (pin.remote_irr) {
    into.push_back({.obstacle = Obstacle::RemoteIrr,
                    .place = chip->source,
                    .pin = number,
                    .by = {.time = pin.serving_since},
                    .other = pin.serving});
  }
}

std::optional<Diagnosis::Standing> Diagnosis::switched_off(const ApicPicture::Local& local) {
  const bool by_base = (local.base.value & apic_register::global_enable) == 0;
  if (!by_base && (local.spurious_vector.value & apic_register::software_enable) != 0) return std::nullopt;
  const ApicPicture::Setting& setting = by_base ? local.base : local.spurious_vector;
  return Standing{.obstacle = Obstacle::ApicDisabled,
                  .place = local.source,
                  .cpu = local.cpu,
                  .by = {.time = setting.time, .address = setting.address},
                  .other = u64{by_base}};
}

void Diagnosis::add_local_obstacles(const ApicPicture::Local& local, u8 vector, std::vector<Standing>& into) const {
  const Standing here{.place = local.source, .pin = vector, .cpu = local.cpu};
  const auto add = [&](Obstacle obstacle, SetBy by, u64 other = 0) {
    Standing standing = here;
    standing.obstacle = obstacle;
    standing.by = by;
    standing.other = other;
    into.push_back(standing);
  };
  if (local.waits_for_startup) {
    Standing standing = here;
    standing.special = Special::CpuNotStarted;
    standing.by.time = local.reset ? local.reset->time : 0;
    into.push_back(standing);
  }
  if (const std::optional<Standing> off = switched_off(local)) into.push_back(*off);
  const std::optional<u8> serving = local.highest_in_service();
  if (serving && class_of(*serving) >= class_of(vector)) {
    const ApicPicture::Serving& served = local.in_service.at(*serving);
    add(Obstacle::InServiceHigher, {.time = served.since}, served.id);
  }
  if (class_of(local.task_priority.value) >= class_of(vector)) {
    add(Obstacle::PriorityTooLow, {.time = local.task_priority.time, .address = local.task_priority.address});
  }
}

/// The 8259's output goes through LINT0 of the first CPU's local APIC, unless the board leads it past.
void Diagnosis::add_virtual_wire_obstacles(std::vector<Standing>& into) const {
  const ApicPicture::Local* local = state_.apics().local_of(0);
  if (local == nullptr || (local->base.value & apic_register::global_enable) == 0) return;
  const std::optional<ApicPicture::Setting>& imcr = state_.apics().imcr();
  if (imcr && (imcr->value & 1) == 0) return;
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  if (chip != nullptr && !chip->pin[0].entry.masked() && chip->pin[0].entry.mode() == MessageMode::ExtInt) return;
  if (const std::optional<Standing> off = switched_off(*local)) {
    into.push_back(*off);
    return;
  }
  constexpr auto wire = static_cast<u8>(ApicPin::Lint0);
  const auto entry = local->local_vector.find(wire);
  if (entry == local->local_vector.end() || !VectorEntry{entry->second.value}.masked()) return;
  into.push_back({.obstacle = Obstacle::EntryMasked,
                  .place = local->source,
                  .pin = wire,
                  .by = {.time = entry->second.time, .address = entry->second.address}});
}

Diagnosis::Story Diagnosis::set_off(std::string cause, std::string clause, const SetBy& by, std::string advice) const {
  Story story{.cause = std::move(cause), .clause = std::move(clause) + since_by(by)};
  if (by.address != 0) {
    story.evidence.push_back(
        {.time = by.time, .text = fmt::format("that was set at {}", at(by.address)), .address = by.address});
  }
  if (!advice.empty()) story.advice.push_back(std::move(advice));
  return story;
}

Diagnosis::Story Diagnosis::entry_masked(const Standing& standing, const Life&, int) const {
  const std::string who = with_article(controller_name(standing.place));
  if (state_.apics().io_apic() != nullptr && standing.place == state_.apics().io_apic()->source) {
    const ApicPicture::Pin& pin = state_.apics().io_apic()->pin[standing.pin];
    if (!pin.opened) {
      return {
          .cause = "masked",
          .clause = fmt::format("{} masks it: the guest has never opened entry {}", who, standing.pin),
          .advice = {fmt::format("Write entry {} of the I/O APIC: destination first, then the low half with vector, "
                                 "trigger and polarity, and bit 16 clear.",
                                 standing.pin)}};
    }
    return set_off("masked", fmt::format("{} masks it: bit 16 of entry {} is set", who, standing.pin), standing.by,
                   fmt::format("Clear bit 16 of entry {} (index {:#x}). An edge that comes while it is set is lost.",
                               standing.pin, 0x10 + 2 * standing.pin));
  }
  if (state_.apics().local(standing.place) != nullptr) {
    const bool wire = standing.pin == static_cast<u8>(ApicPin::Lint0);
    return set_off(
        wire ? "virtual-wire-closed" : "masked",
        wire ? fmt::format("{} masks LINT0, through which the 8259's interrupts come", who)
             : fmt::format("{} masks its entry for {}", who, pin_name(standing.pin)),
        standing.by,
        wire ? "Route the line through the I/O APIC, or write 0x700 (ExtINT, open) to LVT LINT0 (offset 0x350)."
             : "Clear bit 16 of its LVT entry once the handler is there.");
  }
  return set_off("message-masked", fmt::format("the message of {} is masked", who), standing.by,
                 "Clear the mask bit of its MSI-X table entry, or of the MSI capability.");
}

Diagnosis::Story Diagnosis::apic_disabled(const Standing& standing, const Life&, int) const {
  const bool by_base = standing.other != 0;
  return set_off(
      "apic-disabled",
      fmt::format("the {} is switched off ({})", controller_name(standing.place),
                  by_base ? "bit 11 of IA32_APIC_BASE is clear" : "SVR bit 8 is clear"),
      standing.by,
      by_base ? "Leave bit 11 of IA32_APIC_BASE (MSR 0x1B) set; once it has been clear, write SVR and the entries "
                "anew."
              : "Write the spurious vector with bit 8 set to SVR (offset 0xF0; MSR 0x80F), on each CPU.");
}

Diagnosis::Story Diagnosis::priority_too_low(const Standing& standing, const Life&, int) const {
  const ApicPicture::Local& local = *state_.apics().local(standing.place);
  const u64 value = local.task_priority.value;
  constexpr u64 highest_class = 15;
  const std::string lets = class_of(value) == highest_class
                               ? "no vector"
                               : fmt::format("only vectors from {:#04x} on", (class_of(value) + 1) << 4);
  return set_off("task-priority",
                 fmt::format("the task priority (TPR) of CPU {} is {:#04x}, which lets {} through, and its vector is "
                             "{:#04x}; TPR is so",
                             standing.cpu, value, lets, standing.pin),
                 standing.by,
                 "Lower TPR (offset 0x80, MSR 0x808 or CR8), or give the device a vector with a higher first digit.");
}

Diagnosis::Story Diagnosis::not_let_out(const Standing& standing, const Life&, int) const {
  const std::string who = with_article(controller_name(standing.place));
  switch (standing.obstacle) {
    case Obstacle::FunctionMasked:
      return set_off("msi-off", fmt::format("MSI is not enabled in {}, or masked for the whole function", who),
                     standing.by, "Set the enable bit of its MSI or MSI-X capability, and clear the function mask.");
    case Obstacle::BusMasterOff:
      return set_off("bus-master-off", fmt::format("{} may not write to memory, so it can't send its message", who),
                     standing.by, "Set bit 2 (bus master) of its PCI command register.");
    default:
      return set_off("not-connected", fmt::format("{} leads the line nowhere", who), standing.by,
                     "Route it: PIRQ route registers 0x60 to 0x63 of the southbridge, or IMCR (ports 0x22 and 0x23).");
  }
}

Diagnosis::Story Diagnosis::wrong_polarity(const Standing& standing, const Life&, int) const {
  const ApicPicture::Pin& pin = state_.apics().io_apic()->pin[standing.pin];
  const std::string_view said = pin.entry.active_low() ? "low" : "high";
  const std::string_view wanted = pin.entry.active_low() ? "high" : "low";
  Story story =
      set_off("wrong-polarity",
              fmt::format("entry {} of the I/O APIC says active {}, but this line is active {}, so the I/O APIC "
                          "takes its rest for a request and a request for rest; the entry is so",
                          standing.pin, said, wanted),
              standing.by,
              fmt::format("{} bit 13 of entry {}. ISA lines are active high, PCI lines active low; the MADT's "
                          "interrupt source overrides say which differ.",
                          pin.entry.active_low() ? "Clear" : "Set", standing.pin));
  story.stuck = true;
  return story;
}

Diagnosis::Story Diagnosis::cpu_not_started(const Standing& standing, const Life&, int) const {
  Story story{.cause = "cpu-not-started", .stuck = true};
  story.clause = standing.by.time == 0 ? fmt::format("CPU {} has never been started", standing.cpu)
                                       : fmt::format("CPU {} has waited for a start-up message since its INIT at {}",
                                                     standing.cpu, moment(standing.by.time));
  story.advice.emplace_back(
      "Start it with INIT and then a start-up message (ICR mode 6) whose vector is the page below 1 MiB where its code "
      "is.");
  return story;
}

/// Why a message had no effect.
Diagnosis::Story Diagnosis::lost_message(const Record& lost) const {
  const auto loss = static_cast<MessageLoss>(lost.detail);
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  Story story{.cause = std::string(loss_name(loss)), .stuck = true};
  story.clause = fmt::format("nobody took its message: {}", loss_clause(loss));
  // What a local APIC refuses names no pin; the message did.
  const Life* life = state_.lives().find(lost.id);
  const Record* sent = life != nullptr ? life->last(RecordKind::MessageSent) : nullptr;
  const u8 sender = sent != nullptr ? sent->pin : lost.pin;
  const bool by_io_apic = chip != nullptr && is_line(sender) && sender < ApicPicture::pins;
  const u32 destination = static_cast<u32>(lost.extra);
  const bool physical = (lost.extra & message_extra::logical) == 0;
  const ApicPicture::Local* receiver =
      physical && destination < 0xFF ? state_.apics().local_of(static_cast<u8>(destination)) : nullptr;
  if (loss == MessageLoss::NoReceiver) {
    story.clause = fmt::format("its message went to {}, which no local APIC has", sent_to(lost));
  } else if (loss == MessageLoss::ReceiverDisabled && receiver != nullptr && receiver->waits_for_startup) {
    const Life none;
    story =
        cpu_not_started({.cpu = receiver->cpu, .by = {.time = receiver->reset ? receiver->reset->time : 0}}, none, 0);
    story.clause = fmt::format("its message went to {}, but {}", sent_to(lost), story.clause);
  } else if (loss == MessageLoss::ReceiverDisabled && receiver != nullptr) {
    const Life none;
    const Standing by_svr{.place = receiver->source,
                          .by = {.time = receiver->spurious_vector.time, .address = receiver->spurious_vector.address}};
    story = apic_disabled(switched_off(*receiver).value_or(by_svr), none, 0);
    story.clause = fmt::format("its message went to {}, but {}", sent_to(lost), story.clause);
    story.stuck = true;
  } else if (loss == MessageLoss::IllegalVector) {
    story.clause =
        fmt::format("its message has vector {:#04x}, and vectors below 0x10 can't be delivered", lost.vector);
  }
  if (by_io_apic && chip->pin[sender].opened) {
    const ApicPicture::Pin& pin = chip->pin[sender];
    const bool half = pin.entry.has_vector() && pin.entry.vector() < first_legal_vector;
    if (half) story.cause = "half-written";
    story.clause +=
        fmt::format("; entry {} of the I/O APIC {}{}", sender, half ? "is open but only half-written," : "says so,",
                    since_by({.time = pin.written.time, .address = pin.written.address}));
    story.advice.push_back(fmt::format(
        "Write the high half of entry {} (the destination) first, then the low half with vector and mask bit.",
        sender));
  }
  if (lost.address != 0 && !by_io_apic) {
    story.evidence.push_back(
        {.time = lost.time, .text = fmt::format("sent at {}", at(lost.address)), .address = lost.address});
  }
  return story;
}

WhyAnswer Diagnosis::message_to_nobody(const Record& lost) const {
  WhyAnswer answer;
  const bool ipi = lost.pin == static_cast<u8>(ApicPin::Interprocessor);
  answer.subject = fmt::format("{} of {}", ipi ? "the IPI" : "the message", with_article(controller_name(lost.source)));
  answer.vector = lost.vector;
  answer.id = lost.id;
  answer.since = lost.time;
  answer.stuck = true;
  Story story = lost_message(lost);
  answer.sentence =
      fmt::format("{} ({}) at {}{} had no effect: {}.", answer.subject, message_text(lost), moment(lost.time),
                  lost.address != 0 ? ", by " + at(lost.address) + "," : "", story.clause);
  answer.sentence[0] = static_cast<char>(answer.sentence[0] - 'a' + 'A');
  answer.reason = story.clause;
  take(std::move(story), answer);
  if (const Life* life = state_.lives().find(lost.id)) answer.life = *life;
  return answer;
}

}  // namespace vitrine
