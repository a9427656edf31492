// The DSDT of a board: BOARD_ISA, BOARD_PC or BOARD_Q35 says which. The C preprocessor and iasl make it a table when
// Vitrine is built (cmake/acpi.cmake).
// Manual: ACPI specification 6.3, chapters 5, 6, 7 and 19.
// The ports of the power-management block are in the FADT (acpi_tables.cpp); here they are only reserved. The power
// button is fixed hardware, which the FADT says too.

DefinitionBlock ("", "DSDT", 2, "VTRINE", "VTRINEPC", 1)
{
    // Power-off: SLP_TYPa, SLP_TYPb (acpi_power_off_sleep_type).
    Name (\_S5, Package () { 0, 0, 0, 0 })

#ifdef BOARD_ISA
    Scope (\_SB)
    {
        Device (ISA)
        {
            Name (_HID, EisaId ("PNP0A00"))
#include "isa_devices.asl"
#include "reserved.asl"
        }
    }
#else
#include "processors.asl"

    // 5.8.1: the guest says which interrupt controllers it uses. 0: the 8259s; 1: the APICs.
    Name (PICM, 0)
    Method (\_PIC, 1, NotSerialized) { PICM = Arg0 }

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_BBN, 0)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0xFF, 0, 0x100)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0000, 0x0CF7, 0, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0D00, 0xFFFF, 0, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                             0, 0x000A0000, 0x000BFFFF, 0, 0x00020000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                             0, 0xC0000000, 0xFEBFFFFF, 0, 0x3EC00000)
            })

            Device (ISA)  // the southbridge's function 0
            {
#ifdef BOARD_PC
                Name (_ADR, 0x00010000)
#else
                Name (_ADR, 0x001F0000)
#endif
#include "isa_devices.asl"
#include "reserved.asl"

                Device (HPET)
                {
                    Name (_HID, EisaId ("PNP0103"))
                    Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadOnly, 0xFED00000, 0x00000400) })
                }

                // The PIRQ route registers (82371SB, 2.2.13; ICH9, 13.1.17 and 13.1.18).
#ifdef BOARD_PC
                OperationRegion (PIRQ, PCI_Config, 0x60, 4)
                Field (PIRQ, ByteAcc, NoLock, Preserve) { PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8 }
#else
                OperationRegion (PIRQ, PCI_Config, 0x60, 12)
                Field (PIRQ, ByteAcc, NoLock, Preserve)
                {
                    PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8,
                    Offset (8),
                    PRQE, 8, PRQF, 8, PRQG, 8, PRQH, 8
                }
#endif
            }

            Method (_PRT, 0, NotSerialized)
            {
                If (PICM) { Return (PRTA) }
                Return (PRTP)
            }
#include "pci_routes.asl"
        }
#include "pci_links.asl"
    }
#endif
}
