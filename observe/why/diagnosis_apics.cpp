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

}  // namespace

/// The input of the 8259s that a request came to: of PCI's lines, where the router leads them. Empty: it came to none.
std::optional<u8> Diagnosis::input_of(const Life& life) const {
  const std::optional<u8> line = life.line();
  if (!line || *line < first_pci_line) return line;
  for (const Record& record : life.records) {
    const ControllerState* controller = state_.controller(record.source);
    if (controller != nullptr && record.kind != RecordKind::EndOfInterrupt) {
      return static_cast<u8>(controller->first_line + (record.pin & 7));
    }
  }
  return std::nullopt;
}

bool Diagnosis::goes_by_apics(const Life& life) const {
  const Record* from = life.origin();
  if (from != nullptr && !is_line(from->pin)) return true;
  if (life.first(RecordKind::MessageSent) != nullptr) return true;
  if (from == nullptr) return false;
  if (line_goes_by_apics(from->pin)) return true;
  // Not every pin of the I/O APIC has an input of the 8259s beside it.
  const Record* blocked = life.last(RecordKind::Blocked);
  const bool unrouted = blocked != nullptr && static_cast<Obstacle>(blocked->detail) == Obstacle::NotConnected;
  return state_.apics().io_apic() != nullptr && !input_of(life) && !unrouted;
}

bool Diagnosis::has_left_the_8259s() const {
  constexpr u8 all = 0xFF, cascade = 1 << 2;
  for (const ControllerState& controller : state_.controllers()) {
    if ((controller.mask | (controller.first_line == 0 ? cascade : 0)) != all) return false;
  }
  const ApicPicture::Local* local = state_.apics().local_of(0);
  const bool local_set = local != nullptr && local->spurious_vector.address != 0;
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  return local_set ||
         (chip != nullptr && std::ranges::any_of(chip->pin, [](const auto& pin) { return pin.written.address != 0; }));
}

/// Lines lead to both kinds of controllers: the one that the guest uses counts.
bool Diagnosis::line_goes_by_apics(u8 line) const {
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  const u8 pin = io_apic_pin(line);
  if (chip == nullptr || pin >= ApicPicture::pins) return false;
  if (!chip->in_use) return has_left_the_8259s();
  const ControllerState* old = state_.controller_of(line);
  return old == nullptr || !chip->pin[pin].entry.masked() || bit(old->mask, line & 7);
}

bool Diagnosis::is_left_behind(const Life& life) const {
  const std::optional<u8> line = life.line();
  const LineState* state = line ? state_.line(*line) : nullptr;
  return state != nullptr && state->last_delivered && state->last_delivered->id > life.id &&
         life.first(RecordKind::MessageSent) == nullptr && line_goes_by_apics(*line) && standing(life).empty();
}

Life Diagnosis::on_its_way(const Life& life) const {
  Life way = life;
  if (life.left_out != 0 || !goes_by_apics(life)) return way;
  std::erase_if(way.records, [&](const Record& record) { return state_.controller(record.source) != nullptr; });
  return way;
}

void Diagnosis::add_apic_obstacles(const Life& life, std::vector<Standing>& into) const {
  if (const Record* accepted = acceptance(life)) {
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

/// Lines lead to the 8259s as well.
void Diagnosis::add_masked_8259(const Life& life, Story& story) const {
  for (const Record& record : life.records) {
    const auto obstacle = static_cast<Obstacle>(record.detail);
    const ControllerState* controller = state_.controller(record.source);
    if (record.kind != RecordKind::Blocked || controller == nullptr || obstacle != Obstacle::Masked) continue;
    const u8 input = record.pin & 7;
    if (!bit(controller->mask, input)) return;
    const bool routed = life.line().value_or(0) >= first_pci_line;
    story.evidence.push_back(
        {.text =
             fmt::format("the other way, through the 8259s, is closed too: mask bit {} of the {}{} is set{}", input,
                         controller_name(controller->source),
                         routed ? fmt::format(" (IRQ {}, where the router leads {})", controller->first_line + input,
                                              pin_name(*life.line(), state_.header()))
                                : "",
                         since_by(controller->pin[input].masked)),
         .address = controller->pin[input].masked.address});
    return;
  }
}

Diagnosis::Story Diagnosis::entry_masked(const Standing& standing, const Life& life, int) const {
  const std::string who = with_article(controller_name(standing.place));
  if (state_.apics().io_apic() != nullptr && standing.place == state_.apics().io_apic()->source) {
    const ApicPicture::Pin& pin = state_.apics().io_apic()->pin[standing.pin];
    Story story;
    if (!pin.opened) {
      story.cause = "masked";
      story.clause = fmt::format("{} masks it: the guest has never opened entry {}", who, standing.pin);
      story.now = fmt::format("I/O APIC: takes nothing on pin {}: its entry has never been opened", standing.pin);
      if (pin.written.address != 0) {
        story.clause += fmt::format(", only written it with bit 16 set{}",
                                    since_by({.time = pin.written.time, .address = pin.written.address}));
        story.evidence.push_back(
            {.time = pin.written.time,
             .text = fmt::format("entry {} written at {}: {}", standing.pin, at(pin.written.address),
                                 register_words(ControllerRegister::RedirectionEntry, standing.pin, pin.entry.bits)),
             .address = pin.written.address});
      }
      story.advice.push_back(
          fmt::format("Write entry {} of the I/O APIC: destination first, then the low half with vector, trigger and "
                      "polarity, and bit 16 clear.",
                      standing.pin));
    } else {
      story = set_off("masked", fmt::format("{} masks it: bit 16 of entry {} is set", who, standing.pin), standing.by,
                      fmt::format("Clear bit 16 of entry {} (index {:#x}). An edge that comes while it is set is lost.",
                                  standing.pin, 0x10 + 2 * standing.pin));
      story.now = fmt::format("I/O APIC: takes nothing on pin {}: bit 16 of its entry is set{}", standing.pin,
                              since_by(standing.by));
    }
    add_masked_8259(life, story);
    return story;
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
  story.now = fmt::format("I/O APIC: sees no request on pin {}: the line is {}, and its entry says active {}",
                          standing.pin, wanted, said);
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

}  // namespace vitrine
