// Ports and memory of the board that no driver may take. Included by board.asl in the scope of the ISA bus.

Device (MBRD)
{
    Name (_HID, EisaId ("PNP0C02"))
    Name (_CRS, ResourceTemplate ()
    {
#ifdef BOARD_PC
        IO (Decode16, 0x0022, 0x0022, 1, 2)  // IMCR
#endif
        IO (Decode16, 0x0080, 0x0080, 1, 1)
        IO (Decode16, 0x0092, 0x0092, 1, 1)
        IO (Decode16, 0x00E9, 0x00E9, 1, 1)
        IO (Decode16, 0x00F4, 0x00F4, 1, 1)
        IO (Decode16, 0x0600, 0x0600, 1, 0x40)
#ifndef BOARD_ISA
        Memory32Fixed (ReadWrite, 0xFEC00000, 0x00001000)  // I/O APIC
        Memory32Fixed (ReadWrite, 0xFEE00000, 0x00001000)  // local APICs
#endif
    })
}
