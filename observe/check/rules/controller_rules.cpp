#include "observe/check/rules/apic_ends.hpp"
#include "observe/check/rules/ended_interrupts.hpp"
#include "observe/check/rules/interrupts_off.hpp"
#include "observe/check/rules/io_apic_rules.hpp"
#include "observe/check/rules/ipi_rules.hpp"
#include "observe/check/rules/lost_message.hpp"
#include "observe/check/rules/masked_line.hpp"
#include "observe/check/rules/rule_lists.hpp"
#include "observe/check/rules/spurious_mishandled.hpp"
#include "observe/check/rules/stack_on_two_cpus.hpp"
#include "observe/check/rules/timer_rate.hpp"
#include "observe/check/rules/unremapped_pic.hpp"
#include "observe/check/rules/written_ends.hpp"

namespace vitrine {

namespace {

template <class Type>
std::unique_ptr<Rule> make(const RuleContext& context) {
  return std::make_unique<Type>(context);
}

}  // namespace

std::vector<RuleMaker> controller_rules() {
  return {
      {{{.id = "missing-eoi",
         .title = "a handler returned without ending its interrupt",
         .fix = "Send the EOI on every path through the handler. For what an 8259 sent: 0x20 to port 0x20, for IRQ 8 "
                "to 15 "
                "to port 0xA0 first. For what came through APICs: 0 to the local APIC's EOI register."},
        {.id = "eoi-half-cascade",
         .title = "an interrupt of the second 8259 was ended at one of the two only",
         .fix = "For IRQ 8 to 15 send the EOI to both: first to port 0xA0, then to port 0x20."},
        {.id = "eoi-after-switch",
         .title = "a handler switched to another context before it ended its interrupt",
         .fix = "Send the EOI before the scheduler is called: what runs next may not come back for long, or ever.",
         .needs_live = true}},
       make<EndedInterrupts>},
      {{{.id = "eoi-wrong-bit",
         .title = "an EOI ended another interrupt than its handler's",
         .fix = "Send exactly one EOI for each interrupt, or a specific one (0x60 + pin), which names what it ends."},
        {.id = "eoi-without-service",
         .title = "an EOI was sent when nothing was in service",
         .fix =
             "Send an EOI only in the handler of an interrupt that an 8259 has sent, once, and to the second 8259 only "
             "for IRQ 8 to 15."}},
       make<WrittenEnds>},
      {{{.id = "unremapped-pic",
         .title = "interrupts were let in while an 8259 used the vectors of the exceptions",
         .fix = "Before the first STI initialise both 8259s with vectors from 32 on (ICW1 to ICW4), or mask all their "
                "lines."}},
       make<UnremappedPic>,
       true},
      {{{.id = "interrupts-off-too-long",
         .title = "a request had to wait because interrupts were off",
         .fix =
             "Set IF again as soon as the shared data are safe; on a switch restore the flags of the thread that goes "
             "on."}},
       make<InterruptsOffTooLong>,
       true},
      {{{.id = "masked-line",
         .title = "a request waits behind a mask bit",
         .fix = "Clear the line's bit in port 0x21 or 0xA1, and for IRQ 8 to 15 bit 2 of port 0x21 as well."}},
       make<MaskedLine>},
      {{{.id = "spurious-mishandled",
         .title = "a spurious interrupt was treated as a real one",
         .fix = "In the handlers of IRQ 7 and 15 read the in-service register (0x0B): with bit 7 clear send no EOI to "
                "that "
                "8259; for IRQ 15 send one to the first."}},
       make<SpuriousMishandled>},
      {{{.id = "timer-rate",
         .title = "an interrupt comes too often",
         .fix = "Check the divisor: the 8254 counts 1,193,182 times a second, and a count takes its low byte first."}},
       make<TimerRate>,
       true},
      ApicEnds::maker(),
      IoApicRules::maker(),
      IpiRules::maker(),
      LostMessage::maker(),
      StackOnTwoCpus::maker(),
  };
}

}  // namespace vitrine
