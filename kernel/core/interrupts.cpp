#include "kernel/core/interrupts.hpp"

#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/core/log.hpp"

namespace pulse {

void InterruptManager::attach(InterruptController& controller) {
  controller_ = &controller;
  lines_of_.fill(no_line);
  for (u8 line = 0; line < lines; ++line) lines_of_[controller.vector_of(line)] = line;
}

void InterruptManager::add(u8 number, InterruptHandler& handler) {
  InterruptHandler** end = &lines_[number].chain;
  while (*end != nullptr) end = &(*end)->next;
  handler.next = nullptr;
  *end = &handler;
  lines_[number].counts.stopped = false;
  controller_->unmask(number);
}

void InterruptManager::remove(u8 number, InterruptHandler& handler) {
  Line& line = lines_[number];
  for (InterruptHandler** place = &line.chain; *place != nullptr; place = &(*place)->next) {
    if (*place != &handler) continue;
    *place = handler.next;
    break;
  }
  if (line.chain == nullptr) controller_->mask(number);
}

bool InterruptManager::dispatch(u8 number, Frame& frame) {
  Line& line = lines_[number];
  if (controller_->is_spurious(number)) {
    ++line.counts.spurious;
    return false;
  }
  const bool reschedule = ask_handlers(number, frame);
  controller_->end(number);
  return reschedule;
}

bool InterruptManager::end_early(u8 number) {
  if (controller_->is_level(number) || controller_->is_spurious(number)) return false;
  controller_->end(number);
  return true;
}

bool InterruptManager::serve(u8 number) {
  Frame nobodys{};  // what was interrupted went on long ago
  return ask_handlers(number, nobodys);
}

bool InterruptManager::ask_handlers(u8 number, Frame& frame) {
  Line& line = lines_[number];
  ++line.counts.delivered;
  bool claimed = false;
  bool reschedule = false;
  for (InterruptHandler* handler = line.chain; handler != nullptr; handler = handler->next) {
    const HandlerResult result = handler->function(*handler, frame);
    claimed |= result != HandlerResult::NotMine;
    reschedule |= result == HandlerResult::Reschedule;
  }
  note_unclaimed(number, line, claimed);
  return reschedule;
}

void InterruptManager::note_unclaimed(u8 number, Line& line, bool claimed) {
  if (!claimed) {
    ++line.counts.not_mine;
    ++line.unclaimed;
  }
  if (++line.window < storm_window) return;
  if (line.unclaimed >= storm_limit) {
    line.counts.stopped = true;
    controller_->mask(number);
    log(LogLevel::Error, "line {}, vector {:#x}: {} of {} interrupts were nobody's; it is masked for good", number,
        controller_->vector_of(number), line.unclaimed, line.window);
    for (const InterruptHandler* handler = line.chain; handler != nullptr; handler = handler->next) {
      log(LogLevel::Error, "line {}: {} no longer gets interrupts", number, handler->name);
    }
  }
  line.window = 0;
  line.unclaimed = 0;
}

}  // namespace pulse
