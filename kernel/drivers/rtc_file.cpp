#include "kernel/drivers/rtc_file.hpp"

#include <bit>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/drivers/rtc.hpp"

namespace pulse {

namespace {

constexpr u8 line = 8;
constexpr u64 polling_period = 1'000'000;
constexpr u32 least_rate = 2, most_rate = 8192, first_rate = 1024;
constexpr u8 sources = rtc::periodic | rtc::update_ended;

// linux/rtc.h
namespace request {
constexpr u32 update_on = 0x7003, update_off = 0x7004, periodic_on = 0x7005, periodic_off = 0x7006,
              read_time = 0x8024'7009, read_rate = 0x8008'700B, set_rate = 0x4008'700C;
}
struct RtcTime {
  i32 second, minute, hour, day, month, year, day_of_week, day_of_year, daylight_saving;
};

RtcService service = RtcService::Interrupts;
bool is_open = false;
u8 wanted = 0;  // of `sources`
u32 rate = first_rate;
// Since the last read.
u64 count = 0;
u8 flags = 0;
WaitQueue came;

/// Of register C. Reading that takes its flags, which are set whether or not they may interrupt.
bool note(u8 found) {
  if ((found & wanted) == 0) return false;
  ++count;
  flags |= found & wanted;
  return came.wake(ready::in);
}

InterruptHandler handler{.name = "rtc0", .function = [](InterruptHandler&, Frame&) {
                           const u8 found = read_rtc_register(rtc::register_c);
                           if ((found & rtc::interrupt_flag) == 0) return HandlerResult::NotMine;
                           return note(found) ? HandlerResult::Reschedule : HandlerResult::Handled;
                         }};

Timer polling{.expired = [](Timer& timer, u64) {
  (void)note(read_rtc_register(rtc::register_c));
  if (wanted != 0) timers().add(timer, nanoseconds_since_boot() + polling_period);
}};

void want(u8 which) {
  const InterruptsOff off;
  wanted = which;
  (void)read_rtc_register(rtc::register_c);
  if (service == RtcService::Interrupts) {
    const u8 others = read_rtc_register(rtc::register_b) & static_cast<u8>(~sources);
    write_rtc_register(rtc::register_b, others | wanted);
  } else {
    timers().remove(polling);
    if (wanted != 0) timers().add(polling, nanoseconds_since_boot() + polling_period);
  }
}

Result<void> set_rate(u64 hz) {
  if (hz < least_rate || hz > most_rate || !std::has_single_bit(hz)) return fail(Errno::Invalid);
  constexpr u32 highest = 32768;
  const auto selector = static_cast<u8>(std::countr_zero(highest / hz) + 1);  // DS table 5: 3 is 8192 Hz, 15 is 2
  const u8 others = read_rtc_register(rtc::register_a) & 0x70;
  write_rtc_register(rtc::register_a, others | selector);
  rate = static_cast<u32>(hz);
  return {};
}

RtcTime time_now() {
  const RtcCalendar now = read_rtc_calendar();
  const u64 days = days_from_1970(now.year, now.month, now.day);
  constexpr u64 day_of_week_in_1970 = 4;
  return {static_cast<i32>(now.second),
          static_cast<i32>(now.minute),
          static_cast<i32>(now.hour),
          static_cast<i32>(now.day),
          static_cast<i32>(now.month) - 1,
          static_cast<i32>(now.year) - 1900,
          static_cast<i32>((days + day_of_week_in_1970) % 7),
          static_cast<i32>(days - days_from_1970(now.year, 1, 1)),
          0};
}

class RtcFile final : public File {
 public:
  RtcFile() { is_open = true; }
  ~RtcFile() override {
    want(0);
    is_open = false;
    count = 0;
    flags = 0;
  }
  Result<std::size_t> read(IoBuffer& into) override {
    if (into.remaining() < sizeof(u64)) return fail(Errno::Invalid);
    u64 value = 0;
    {
      const InterruptsOff off;
      if (count == 0) return fail(Errno::TryAgain);
      value = count << 8 | flags | rtc::interrupt_flag;
      count = 0;
      flags = 0;
    }
    const auto told = into.put({reinterpret_cast<const u8*>(&value), sizeof value});
    return told ? Result<std::size_t>(sizeof value) : fail(told.error());
  }
  Result<u64> control(u32 number, u64 argument) override {
    const auto done = [](Result<void> result) { return result ? Result<u64>(0) : fail(result.error()); };
    switch (number) {
      case request::update_on:
        want(wanted | rtc::update_ended);
        return 0;
      case request::update_off:
        want(wanted & static_cast<u8>(~rtc::update_ended));
        return 0;
      case request::periodic_on:
        want(wanted | rtc::periodic);
        return 0;
      case request::periodic_off:
        want(wanted & static_cast<u8>(~rtc::periodic));
        return 0;
      case request::read_time:
        return done(write_user(argument, time_now()));
      case request::read_rate:
        return done(write_user(argument, u64{rate}));
      case request::set_rate:
        return done(set_rate(argument));
      default:
        return fail(Errno::NotTerminal);
    }
  }
  [[nodiscard]] u32 ready() const override { return count > 0 ? pulse::ready::in | pulse::ready::read_normal : 0; }
  WaitQueue* wait_queue() override { return &came; }
};

}  // namespace

void start_rtc(RtcService wanted_service) {
  service = wanted_service;
  want(0);
  (void)set_rate(first_rate);
  register_device(rtc_device, [](Node&, u32) -> Result<Ref<File>> {
    if (is_open) return fail(Errno::Busy);
    return Ref<File>(new RtcFile);
  });
  if (service == RtcService::Interrupts) kernel().interrupts.add(line, handler);
}

}  // namespace pulse
