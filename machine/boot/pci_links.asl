// The router's links, for a guest that stays with the 8259s (ACPI 6.3, 6.2.13): which ISA interrupt line PIRQ n drives.
// Included by board.asl in \_SB.

#define LINK(name, uid, route)                                                                                       \
    Device (name)                                                                                                    \
    {                                                                                                                \
        Name (_HID, EisaId ("PNP0C0F"))                                                                              \
        Name (_UID, uid)                                                                                             \
        Name (_PRS, ResourceTemplate () { IRQ (Level, ActiveLow, Shared) { 10, 11 } })                               \
        Name (NOW, ResourceTemplate () { IRQ (Level, ActiveLow, Shared) { 10 } })                                    \
        CreateWordField (NOW, 1, NOWM)                                                                               \
        Method (_STA, 0, NotSerialized) { If (route & 0x80) { Return (0x09) } Return (0x0B) }                        \
        Method (_DIS, 0, NotSerialized) { route = 0x80 }                                                             \
        Method (_CRS, 0, Serialized)                                                                                 \
        {                                                                                                            \
            NOWM = 0                                                                                                 \
            If (!(route & 0x80)) { NOWM = 1 << (route & 0x0F) }                                                      \
            Return (NOW)                                                                                             \
        }                                                                                                            \
        Method (_SRS, 1, NotSerialized)                                                                              \
        {                                                                                                            \
            CreateWordField (Arg0, 1, MASK)                                                                          \
            FindSetRightBit (MASK, Local0)                                                                           \
            If (Local0) { route = Local0 - 1 }                                                                       \
        }                                                                                                            \
    }

LINK (LNKA, 1, \_SB.PCI0.ISA.PRQA)
LINK (LNKB, 2, \_SB.PCI0.ISA.PRQB)
LINK (LNKC, 3, \_SB.PCI0.ISA.PRQC)
LINK (LNKD, 4, \_SB.PCI0.ISA.PRQD)
#ifdef BOARD_Q35
LINK (LNKE, 5, \_SB.PCI0.ISA.PRQE)
LINK (LNKF, 6, \_SB.PCI0.ISA.PRQF)
LINK (LNKG, 7, \_SB.PCI0.ISA.PRQG)
LINK (LNKH, 8, \_SB.PCI0.ISA.PRQH)
#endif
