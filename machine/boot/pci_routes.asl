// _PRT (ACPI 6.3, 6.2.13): where pins INTA..INTD of each slot of bus 0 go. PRTP: to the router's links; PRTA: to pins of
// the I/O APIC. Which PIRQ a pin is wired to stands in machine/boards/board_wiring.hpp, and a test holds the two
// together. Included by board.asl in \_SB.PCI0.

#define LINKS(slot, a, b, c, d)                                                                                      \
    Package () { slot, 0, a, 0 }, Package () { slot, 1, b, 0 }, Package () { slot, 2, c, 0 },                        \
    Package () { slot, 3, d, 0 }
#define PINS(slot, a, b, c, d)                                                                                       \
    Package () { slot, 0, 0, a }, Package () { slot, 1, 0, b }, Package () { slot, 2, 0, c },                        \
    Package () { slot, 3, 0, d }

// Four slots whose pins are wired one further each, beginning with `a`.
#define FOUR(ENTRIES, slot0, slot1, slot2, slot3, a, b, c, d)                                                        \
    ENTRIES (slot0, a, b, c, d), ENTRIES (slot1, b, c, d, a), ENTRIES (slot2, c, d, a, b),                           \
    ENTRIES (slot3, d, a, b, c)

#ifdef BOARD_PC
#define SLOTS(ENTRIES, a, b, c, d)                                                                                   \
    FOUR (ENTRIES, 0x0000FFFF, 0x0001FFFF, 0x0002FFFF, 0x0003FFFF, d, a, b, c),                                      \
    FOUR (ENTRIES, 0x0004FFFF, 0x0005FFFF, 0x0006FFFF, 0x0007FFFF, d, a, b, c),                                      \
    FOUR (ENTRIES, 0x0008FFFF, 0x0009FFFF, 0x000AFFFF, 0x000BFFFF, d, a, b, c),                                      \
    FOUR (ENTRIES, 0x000CFFFF, 0x000DFFFF, 0x000EFFFF, 0x000FFFFF, d, a, b, c),                                      \
    FOUR (ENTRIES, 0x0010FFFF, 0x0011FFFF, 0x0012FFFF, 0x0013FFFF, d, a, b, c),                                      \
    FOUR (ENTRIES, 0x0014FFFF, 0x0015FFFF, 0x0016FFFF, 0x0017FFFF, d, a, b, c),                                      \
    FOUR (ENTRIES, 0x0018FFFF, 0x0019FFFF, 0x001AFFFF, 0x001BFFFF, d, a, b, c),                                      \
    FOUR (ENTRIES, 0x001CFFFF, 0x001DFFFF, 0x001EFFFF, 0x001FFFFF, d, a, b, c)

Name (PRTP, Package (128) { SLOTS (LINKS, LNKA, LNKB, LNKC, LNKD) })
Name (PRTA, Package (128) { SLOTS (PINS, 16, 17, 18, 19) })
#else
// Slots to 18h take PIRQE..PIRQH in turn; the southbridge's own, from 19h on, PIRQA..PIRQD (ICH9, 10.1.20).
#define OUTER(ENTRIES, a, b, c, d)                                                                                   \
    FOUR (ENTRIES, 0x0000FFFF, 0x0001FFFF, 0x0002FFFF, 0x0003FFFF, a, b, c, d),                                      \
    FOUR (ENTRIES, 0x0004FFFF, 0x0005FFFF, 0x0006FFFF, 0x0007FFFF, a, b, c, d),                                      \
    FOUR (ENTRIES, 0x0008FFFF, 0x0009FFFF, 0x000AFFFF, 0x000BFFFF, a, b, c, d),                                      \
    FOUR (ENTRIES, 0x000CFFFF, 0x000DFFFF, 0x000EFFFF, 0x000FFFFF, a, b, c, d),                                      \
    FOUR (ENTRIES, 0x0010FFFF, 0x0011FFFF, 0x0012FFFF, 0x0013FFFF, a, b, c, d),                                      \
    FOUR (ENTRIES, 0x0014FFFF, 0x0015FFFF, 0x0016FFFF, 0x0017FFFF, a, b, c, d),                                      \
    ENTRIES (0x0018FFFF, a, b, c, d)
#define INNER(ENTRIES, a, b, c, d)                                                                                   \
    ENTRIES (0x0019FFFF, a, b, c, d), ENTRIES (0x001AFFFF, a, b, c, d), ENTRIES (0x001BFFFF, a, b, c, d),            \
    ENTRIES (0x001CFFFF, a, b, c, d), ENTRIES (0x001DFFFF, a, b, c, d), ENTRIES (0x001EFFFF, a, b, c, d),            \
    ENTRIES (0x001FFFFF, a, b, c, d)

Name (PRTP, Package (128)
{
    OUTER (LINKS, LNKE, LNKF, LNKG, LNKH),
    INNER (LINKS, LNKA, LNKB, LNKC, LNKD)
})
Name (PRTA, Package (128)
{
    OUTER (PINS, 20, 21, 22, 23),
    INNER (PINS, 16, 17, 18, 19)
})
#endif
