// The 8259A programmable interrupt controller: eight request pins, one INT output. A PC has two in cascade.
//
// Manual: Intel 8259A/8259A-2/8259A-8 data sheet, order number 231468 ("DS" below); the edge/level control register
// (ELCR, ports 0x4D0 and 0x4D1) is from the Intel 82371AB (PIIX4) data sheet, 290562, section 4.2.4.
//
// How its interrupt behaves: a pin that requests sets its IRR bit. In edge mode that takes a low-to-high transition
// and lasts until the acknowledge, but no longer than the input stays high; in level mode the IRR bit is the input.
// INT is high while a request stands that is neither masked nor outranked by what is in service. The acknowledge moves
// the winner from IRR to ISR and answers with its vector, on a pin with a secondary the secondary's; with no request
// left it answers as pin 7 would, and sets no ISR bit (the spurious interrupt). EOI clears the ISR bit.
//
// Two chips are cascaded by wires: the secondary's INT output is a line into a pin of the primary, and
// the primary reaches the secondary at an acknowledge through CascadeListener (the CAS lines).
//
// Not modelled: the third INTA pulse of MCS-80 mode (our CPU makes two; what it takes as vector is the second byte),
// the buffer-enable output of buffered mode (its master/slave bit is honoured), set-up times.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/bits.hpp"
#include "base/types.hpp"
#include "machine/core/device.hpp"
#include "machine/core/interrupt_line.hpp"

namespace vitrine {

/// What hears the cascade lines CAS0-2 during an acknowledge: a secondary controller.
class CascadeListener {
 public:
  virtual ~CascadeListener() = default;
  /// The second INTA pulse with `number` on the cascade lines. Nothing if that is not this chip's number.
  virtual std::optional<Acknowledged> cascade_acknowledge(Pin number) = 0;
};

class Pic8259 final : public Device, public InterruptAcknowledger, public CascadeListener {
 public:
  static constexpr Region registers{0};  ///< 2 bytes: A0 low, A0 high
  static constexpr Region elcr{1};       ///< 1 byte
  static constexpr u8 pins = 8;

  /// The SP/EN pin.
  enum class Role : u8 { Primary, Secondary };
  /// What the board decides.
  struct Wiring {
    Role role = Role::Primary;
    u8 first_line = 0;        ///< the board's number of pin 0, for the ledger: 0 or 8
    u8 level_capable = 0xF8;  ///< the ELCR bits that can be set
  };

  Pic8259(DeviceContext context, Wiring wiring, LineDriver interrupt_output);
  /// `listener` hears the cascade lines when this chip acknowledges `pin`. Made once, by the board.
  void connect_secondary(Pin pin, CascadeListener& listener) { secondaries_[pin.value & 7] = &listener; }

  [[nodiscard]] std::string_view name() const override;
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void line_changed(Pin pin, Level level, RequestId request) override;
  void exchange(Archive& archive) override;
  Acknowledged acknowledge() override;
  std::optional<Acknowledged> cascade_acknowledge(Pin number) override;

  // Questions. They change nothing.

  /// Why the request on a pin does not go on. `obstacle` None: it is the one that INT is high for.
  struct Obstruction {
    Obstacle obstacle = Obstacle::None;
    u64 address = 0;  ///< the instruction that set the obstacle
    Tick since{};
    RequestId other{};  ///< the request in the way, if it is one
    bool operator==(const Obstruction&) const = default;
  };
  /// All that there is to know of one pin.
  struct PinView {
    Level input = Level::Low;
    bool level_triggered = false;
    bool requested = false;  ///< IRR
    RequestId pending{};     ///< the request that waits; 0 if none, or if the one in service still holds a level
    Tick pending_since{};
    Obstruction obstruction{};  ///< of that request
    bool in_service = false;    ///< ISR
    RequestId serving{};
    Tick in_service_since{};
    u64 in_service_by = 0;  ///< the instruction before which it was acknowledged
    bool masked = false;    ///< IMR
    Tick masked_since{};
    u64 masked_by = 0;  ///< the instruction that set the mask bit
    bool has_secondary = false;
  };
  [[nodiscard]] PinView view(Pin pin) const;
  /// The pin that INT is high for, or would be: unmasked, requesting, and of higher priority than all in service.
  [[nodiscard]] std::optional<Pin> winner() const;
  [[nodiscard]] bool interrupt_wanted() const { return !state_.acknowledging && winner().has_value(); }
  [[nodiscard]] u8 requests() const { return state_.requests; }      // IRR
  [[nodiscard]] u8 in_service() const { return state_.in_service; }  // ISR
  [[nodiscard]] u8 mask() const { return state_.mask; }              // IMR
  [[nodiscard]] Vector vector_of(Pin pin) const;
  [[nodiscard]] bool is_initialised() const { return state_.step == InitStep::Ready && state_.initialised; }
  /// Between a poll command and the read that answers it the IRR does not follow the inputs.
  [[nodiscard]] bool is_frozen() const { return state_.poll; }

 private:
  enum class InitStep : u8 { Ready, Icw2, Icw3, Icw4 };
  enum class ReadSelect : u8 { Requests, InService };
  static constexpr std::size_t obstacle_kinds = 9;

  /// The ledger's side of a pin: who is there, and since when.
  struct PinState {
    RequestId line{};     // what the wire carries
    RequestId latched{};  // the last of the wire's requests that the IRR bit stood for
    RequestId pending{};  // of the IRR bit; if the bit is held, the one that was acknowledged
    Tick pending_since{};
    RequestId lapsed{};  // its pulse was over before anybody took it: it goes on with the next edge
    Tick lapsed_since{};
    RequestId acknowledged{};  // the last one
    RequestId serving{};       // of the ISR bit
    Tick in_service_since{};
    u64 in_service_by = 0;
    Tick masked_since{};
    u64 masked_by = 0;
    std::array<bool, obstacle_kinds> told{};  // a Blocked record was made for `pending` and the obstacle...
    std::array<Tick, obstacle_kinds> told_since{};
    std::array<RequestId, obstacle_kinds> told_other{};  // ... that stands since then, because of that one
    void exchange(Archive& archive);
  };
  /// What INT went high for and was not acknowledged: the story behind a spurious interrupt.
  struct Lost {
    SpuriousCause cause = SpuriousCause::NothingRequested;
    RequestId request{};
    u64 address = 0;
    Tick since{};
    void exchange(Archive& archive) { archive(cause, request, address, since); }
  };
  struct State {
    u8 icw1 = 0;
    u8 icw2 = 0;
    u8 icw3 = 7;
    u8 icw4 = 0;
    InitStep step = InitStep::Ready;
    bool initialised = false;  // has had all its ICWs
    Tick uninitialised_since{};
    u64 uninitialised_by = 0;

    u8 lines = 0;       // the inputs
    u8 armed = 0xFF;    // edge sense: a bit is set while the input is low, and cleared by the acknowledge
    u8 requests = 0;    // IRR
    u8 held = 0;        // IRR bits of level inputs that have not fallen since they were acknowledged
    u8 in_service = 0;  // ISR
    u8 mask = 0;        // IMR
    u8 level = 0;       // ELCR
    u8 lowest_priority = 7;
    bool rotate_on_automatic_eoi = false;
    bool special_mask = false;
    bool poll = false;  // the next read is an acknowledge; the IRR is frozen until then
    ReadSelect read_select = ReadSelect::Requests;

    bool output = false;  // INT
    Pin offered{};        // the pin that INT is high for
    RequestId offered_request{};
    bool acknowledging = false;  // between the INTA pulses: INT is low
    Lost lost;
    std::array<PinState, pins> pins{};
    void exchange(Archive& archive);
  };

  [[nodiscard]] bool single() const;
  [[nodiscard]] bool is_primary() const;
  [[nodiscard]] bool has_secondary(u8 pin) const;
  [[nodiscard]] bool level_triggered(u8 pin) const;
  [[nodiscard]] u8 by_priority(u8 rank) const { return (state_.lowest_priority + 1 + rank) & 7; }
  [[nodiscard]] u8 blocking_service() const;
  [[nodiscard]] std::optional<u8> highest_in_service() const;
  [[nodiscard]] Obstruction obstruction(u8 pin) const;
  [[nodiscard]] u8 poll_byte() const;
  [[nodiscard]] u8 register_byte(Region region, u64 offset) const;
  [[nodiscard]] u8 ledger_pin(u8 pin) const { return static_cast<u8>(wiring_.first_line + pin); }

  u8 read_byte(Region region, u64 offset);
  void write_byte(Region region, u64 offset, u8 value);
  void initialise(u8 icw1);
  void next_initialisation_word(u8 value);
  void finish_initialisation();
  void become_initialised();
  void set_mask(u8 value);
  void operation(u8 ocw2);
  void control(u8 ocw3);

  void sense_inputs();
  [[nodiscard]] bool is_waiting(u8 pin) const;
  enum class Lapsed : u8 { Kept, Dropped };
  void drop_request(u8 pin, Lapsed lapsed = Lapsed::Dropped);
  void withdraw(u8 pin, RequestId request);
  void merge(u8 pin);
  void latch(u8 pin);
  RequestId take(u8 pin);
  void enter_service(u8 pin, RequestId request);
  void end_service(u8 pin, EndKind kind);
  void end_automatically(u8 pin);
  Acknowledged serve(u8 pin);
  Acknowledged spurious();
  void serve_poll();

  /// The modes that ControllerRegister names, as their records have them.
  struct Modes {
    u8 vector_base = 0, automatic = 0, special_fully_nested = 0, special_mask = 0, level = 0, lowest_priority = 0;
  };
  [[nodiscard]] Modes modes() const;
  void report_modes(const Modes& before);
  void report_mode(ControllerRegister which, u8 before, u8 now);
  void remember_lost();
  void report_obstacles();
  void update();
  void record(Record record) const;

  DeviceContext context_;
  Wiring wiring_;
  LineDriver interrupt_output_;
  std::array<CascadeListener*, pins> secondaries_{};
  State state_;
};

/// The two of a PC. These can't be level-triggered (82371AB, 4.2.4): timer, keyboard, cascade; clock, floating point.
inline constexpr Pic8259::Wiring pc_primary_pic{Pic8259::Role::Primary, 0, 0xF8};
inline constexpr Pic8259::Wiring pc_secondary_pic{Pic8259::Role::Secondary, 8, 0xDE};

}  // namespace vitrine
