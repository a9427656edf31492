#include "kernel/drivers/ata_channel.hpp"

#include <algorithm>
#include <cstring>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace ata = vitrine::ata;
namespace bm = vitrine::ata::bus_master;

namespace {
constexpr u64 microsecond = 1'000, millisecond = 1'000 * microsecond, second = 1'000 * millisecond;
constexpr u64 patience = 10 * second;
constexpr u64 reset_patience = 2 * second;
/// So long it looks all the time, and then once a millisecond, while others run. A polled disk's twin is compared with
/// interrupts: it looks as long as a disk's arm may move.
constexpr u64 eager = 50 * microsecond, eager_of_polled = 20 * millisecond;
constexpr u64 end_of_dma = u64{1} << 32;

/// Others run meanwhile. While the system starts, the idle thread waits, and there are none.
void rest(u64 nanoseconds) {
  const u64 end = nanoseconds_since_boot() + nanoseconds;
  if (current_thread().priority != RunEntry::idle_priority) {
    WaitQueue nobody_wakes;
    (void)wait_in_any_case(nobody_wakes, [] { return false; }, end);
  }
  while (nanoseconds_since_boot() < end) asm volatile("pause");
}

void in_words(u16 port, void* into, u64 words) {
  asm volatile("rep insw" : "+D"(into), "+c"(words) : "d"(port) : "memory");
}
void out_words(u16 port, const void* from, u64 words) {
  asm volatile("rep outsw" : "+S"(from), "+c"(words) : "d"(port) : "memory");
}
}  // namespace

u8 AtaChannel::in(u8 reg) const { return in8(static_cast<u16>(place_.command_block + reg)); }
void AtaChannel::out(u8 reg, u8 value) const { out8(static_cast<u16>(place_.command_block + reg), value); }
/// The status, and the interrupt stays.
u8 AtaChannel::look() const { return in8(place_.control_block); }
/// 400 ns (9.1): until the status is the selected disk's, or the new command's.
void AtaChannel::pause() const {
  for (int i = 0; i < 4; ++i) (void)look();
}

bool AtaChannel::find(const Place& place) {
  place_ = place;
  out8(place_.control_block, ata::control::no_interrupt);
  // On a cable without disks nothing keeps what is written.
  constexpr u8 one = 0x55, other = 0xAA;
  out(ata::reg::device, ata::device::obsolete);
  out(ata::reg::count, one);
  out(ata::reg::lba_low, other);
  if (in(ata::reg::count) != one || in(ata::reg::lba_low) != other) return false;
  if (place_.bus_master != 0) prepare_dma();
  return true;
}

void AtaChannel::prepare_dma() {
  const auto below = [](std::optional<u64> page) { return page && *page < end_of_dma - page_bytes; };
  const auto table = allocate_page();
  if (!below(table)) return;
  for (u8*& page : pages_) {
    const auto memory = allocate_page();
    if (!below(memory)) return;
    page = static_cast<u8*>(direct(*memory));
  }
  table_address_ = static_cast<u32>(*table);
  tables_ = static_cast<Descriptor*>(direct(*table));
}

void AtaChannel::start(Service service) {
  service_ = service;
  if (service == Service::Polled) return;
  handler_.name = place_.name;
  handler_.channel = this;
  handler_.function = [](InterruptHandler& self, Frame&) { return static_cast<Handler&>(self).channel->serve(); };
  (void)in(ata::reg::status);
  kernel().interrupts.add(place_.line, handler_);
  out8(place_.control_block, 0);
}

HandlerResult AtaChannel::serve() {
  if ((look() & ata::status::busy) != 0) return HandlerResult::NotMine;
  (void)in(ata::reg::status);  // quiet
  if (place_.bus_master != 0) {
    const u16 port = static_cast<u16>(place_.bus_master + bm::status);
    out8(port, static_cast<u8>((in8(port) & bm::drive_capable) | bm::interrupt));
  }
  interrupted_ = true;
  return waiting_.wake(ready::all) ? HandlerResult::Reschedule : HandlerResult::Handled;
}

/// Has the disk done its step? While DMA goes on, its status is busy or asks for data (9.8): polled, none may be left.
bool AtaChannel::arrived(u8 none_of) {
  if (service_ == Service::Interrupts) return interrupted_;
  return (look() & none_of) == 0;
}

/// False: it has not come to hold within `longest`.
template <class Holds>
bool AtaChannel::look_until(Holds holds, u64 longest, u64 eagerly) {
  const u64 begin = nanoseconds_since_boot();
  while (!holds()) {
    const u64 waited = nanoseconds_since_boot() - begin;
    if (waited >= longest) return false;
    if (waited < eagerly) {
      asm volatile("pause");
    } else {
      rest(millisecond);
    }
  }
  return true;
}

Result<void> AtaChannel::wait_for_step(u8 none_of) {
  if (service_ == Service::Polled) {
    pause();
    return look_until([&] { return arrived(none_of); }, patience, eager_of_polled) ? Result<void>() : give_up();
  }
  const u64 deadline = nanoseconds_since_boot() + patience;
  const WaitResult result = wait_in_any_case(waiting_, [&] { return arrived(none_of); }, deadline);
  if (result == WaitResult::TimedOut) return give_up();
  interrupted_ = false;
  return {};
}

bool AtaChannel::becomes_free() {
  return look_until([&] { return (look() & (ata::status::busy | ata::status::data_request)) == 0; }, reset_patience,
                    eager);
}

/// Nothing came: what happens next begins from a reset.
Result<void> AtaChannel::give_up() {
  status_ = look();
  error_ = in(ata::reg::error);
  log_warning("{}: no answer (status {:#x}, error {:#x}); reset", place_.name, status_, error_);
  if (place_.bus_master != 0) out8(place_.bus_master + bm::command, 0);
  const u8 enabled = service_ == Service::Polled ? ata::control::no_interrupt : u8{0};
  out8(place_.control_block, enabled | ata::control::reset);
  const u64 held = nanoseconds_since_boot() + 5 * microsecond;
  while (nanoseconds_since_boot() < held) asm volatile("pause");
  out8(place_.control_block, enabled);
  rest(2 * millisecond);
  (void)becomes_free();
  interrupted_ = false;
  ++resets_;
  if (++unanswered_[selected_] == most_unanswered)
    log(LogLevel::Error, "{}: disk {} is dead: its commands fail from now on", place_.name, selected_);
  return fail(Errno::InputOutput);
}

/// The step is over: has it gone well, and does the disk want what we expect?
Result<void> AtaChannel::check(u8 wanted) {
  const u8 status = look();
  const bool well = (status & (ata::status::error | ata::status::fault | ata::status::busy)) == 0;
  if (well && (status & ata::status::data_request) == wanted) return {};
  status_ = status;
  error_ = in(ata::reg::error);
  if (well || (status & ata::status::busy) != 0) return give_up();
  return fail(Errno::InputOutput);
}

/// The last step is over.
Result<void> AtaChannel::finish() {
  const auto done = check(0);
  if (done) unanswered_[selected_] = 0;
  return done;
}

Result<void> AtaChannel::select(u8 disk, u8 bits) {
  if (is_dead(disk)) return fail(Errno::InputOutput);
  selected_ = disk;
  if (!becomes_free()) return give_up();
  out(ata::reg::device, static_cast<u8>(ata::device::obsolete | bits | (disk != 0 ? ata::device::second : 0)));
  pause();
  interrupted_ = false;
  return becomes_free() ? Result<void>() : give_up();
}

Result<void> AtaChannel::identify(u8 disk, Sector& into) {
  const Mutex::Hold hold(mutex_);
  selected_ = disk;
  out(ata::reg::device, static_cast<u8>(ata::device::obsolete | (disk != 0 ? ata::device::second : 0)));
  pause();
  const u8 there = look();
  if ((there & ata::status::ready) == 0 || (there & ata::status::data_request) != 0) return fail(Errno::NoDevice);
  interrupted_ = false;
  out(ata::reg::command, static_cast<u8>(ata::Command::IdentifyDevice));
  pause();
  if (const auto free = wait_for_step(); !free) return free;
  const u8 status = look();
  // A packet device aborts, and so does what is no disk at all.
  if ((status & ata::status::error) != 0 || (status & ata::status::data_request) == 0) return fail(Errno::NoDevice);
  in_words(static_cast<u16>(place_.command_block + ata::reg::data), into.data(), into.size() / 2);
  return {};
}

Result<void> AtaChannel::command(ata::Command command, u8 disk, u8 features, u8 count) {
  const Mutex::Hold hold(mutex_);
  if (const auto ok = select(disk); !ok) return ok;
  out(ata::reg::features, features);
  out(ata::reg::count, count);
  out(ata::reg::command, static_cast<u8>(command));
  if (const auto done = wait_for_step(); !done) return done;
  return finish();
}

Result<void> AtaChannel::issue(const Transfer& transfer, u32 sectors) {
  const auto byte = [&](unsigned number) { return static_cast<u8>(transfer.sector >> 8 * number); };
  const u8 head = transfer.wide ? u8{0} : static_cast<u8>(byte(3) & 0x0F);
  if (const auto ok = select(transfer.disk, ata::device::lba | head); !ok) return ok;
  if (transfer.wide) {
    out(ata::reg::count, static_cast<u8>(sectors >> 8));
    out(ata::reg::lba_low, byte(3));
    out(ata::reg::lba_mid, byte(4));
    out(ata::reg::lba_high, byte(5));
  }
  out(ata::reg::count, static_cast<u8>(sectors));
  out(ata::reg::lba_low, byte(0));
  out(ata::reg::lba_mid, byte(1));
  out(ata::reg::lba_high, byte(2));
  out(ata::reg::command, static_cast<u8>(transfer.command));
  return {};
}

// --- by the CPU (9.6, 9.7) ------------------------------------------------------------------------------------------

Result<void> AtaChannel::read(const Transfer& transfer, std::span<u8> into) {
  const Mutex::Hold hold(mutex_);
  const u64 block_bytes = transfer.block_sectors * u64{512};
  if (const auto ok = issue(transfer, static_cast<u32>(into.size() / 512)); !ok) return ok;
  while (!into.empty()) {
    if (const auto step = wait_for_step(); !step) return step;
    if (const auto ok = check(ata::status::data_request); !ok) return ok;
    const std::size_t bytes = std::min<std::size_t>(into.size(), block_bytes);
    in_words(static_cast<u16>(place_.command_block + ata::reg::data), into.data(), bytes / 2);
    into = into.subspan(bytes);
  }
  pause();
  return finish();
}

Result<void> AtaChannel::write(const Transfer& transfer, std::span<const u8> from) {
  const Mutex::Hold hold(mutex_);
  const u64 block_bytes = transfer.block_sectors * u64{512};
  if (const auto ok = issue(transfer, static_cast<u32>(from.size() / 512)); !ok) return ok;
  pause();
  // The only step without an interrupt.
  if (!look_until([&] { return (look() & ata::status::busy) == 0; }, patience, eager)) return give_up();
  while (!from.empty()) {
    if (const auto ok = check(ata::status::data_request); !ok) return ok;
    const std::size_t bytes = std::min<std::size_t>(from.size(), block_bytes);
    interrupted_ = false;
    out_words(static_cast<u16>(place_.command_block + ata::reg::data), from.data(), bytes / 2);
    from = from.subspan(bytes);
    if (const auto step = wait_for_step(); !step) return step;
  }
  return finish();
}

// --- by the bus master (9.8; BMIDE, 3) ------------------------------------------------------------------------------

Result<void> AtaChannel::run_dma(const Transfer& transfer, u32 bytes, u8 direction) {
  for (u32 page = 0, left = bytes; left > 0; ++page) {
    const u32 count = std::min<u32>(left, page_bytes);
    left -= count;
    tables_[page] = {static_cast<u32>(physical_of_direct(pages_[page])), count | (left == 0 ? bm::end_of_table : 0)};
  }
  const u16 base = place_.bus_master;
  out8(base + bm::command, direction);
  out32(base + bm::table, table_address_);
  out8(base + bm::status, static_cast<u8>((in8(base + bm::status) & bm::drive_capable) | bm::error | bm::interrupt));
  if (const auto ok = issue(transfer, bytes / 512); !ok) return ok;
  out8(base + bm::command, direction | bm::start);
  if (const auto step = wait_for_step(ata::status::busy | ata::status::data_request); !step) return step;
  const u8 master = in8(base + bm::status);
  out8(base + bm::command, 0);
  if (const auto ok = check(0); !ok) return ok;
  // The disk says that nothing is left to do, and has not moved all: it has not heard the command.
  if ((master & (bm::error | bm::active)) == bm::active) return give_up();
  if ((master & bm::error) == 0) return finish();
  log_warning("{}: the bus master failed (status {:#x})", place_.name, master);
  return fail(Errno::InputOutput);
}

Result<void> AtaChannel::read_by_dma(const Transfer& transfer, std::span<u8> into) {
  const Mutex::Hold hold(mutex_);
  if (const auto ok = run_dma(transfer, static_cast<u32>(into.size()), bm::to_memory); !ok) return ok;
  for (u32 page = 0; !into.empty(); ++page) {
    const std::size_t count = std::min<std::size_t>(into.size(), page_bytes);
    std::memcpy(into.data(), pages_[page], count);
    into = into.subspan(count);
  }
  return {};
}

Result<void> AtaChannel::write_by_dma(const Transfer& transfer, std::span<const u8> from) {
  const Mutex::Hold hold(mutex_);
  std::span<const u8> rest = from;
  for (u32 page = 0; !rest.empty(); ++page) {
    const std::size_t count = std::min<std::size_t>(rest.size(), page_bytes);
    std::memcpy(pages_[page], rest.data(), count);
    rest = rest.subspan(count);
  }
  return run_dma(transfer, static_cast<u32>(from.size()), 0);
}

}  // namespace pulse
