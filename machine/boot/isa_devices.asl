// What stands on the ISA bus of every board: ports and interrupt lines. Included by board.asl in the bus's scope.

Device (PIC)
{
    Name (_HID, EisaId ("PNP0000"))
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x0020, 0x0020, 1, 2)
        IO (Decode16, 0x00A0, 0x00A0, 1, 2)
        IO (Decode16, 0x04D0, 0x04D0, 1, 2)
        IRQNoFlags () { 2 }
    })
}
Device (TIMR)
{
    Name (_HID, EisaId ("PNP0100"))
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x0040, 0x0040, 1, 4)
        IRQNoFlags () { 0 }
    })
}
Device (DMAC)
{
    Name (_HID, EisaId ("PNP0200"))
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x0000, 0x0000, 1, 0x10)
        IO (Decode16, 0x0081, 0x0081, 1, 0x0F)
        IO (Decode16, 0x00C0, 0x00C0, 1, 0x20)
        DMA (Compatibility, NotBusMaster, Transfer8) { 4 }
    })
}
Device (RTC)
{
    Name (_HID, EisaId ("PNP0B00"))
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x0070, 0x0070, 1, 2)
        IRQNoFlags () { 8 }
    })
}
Device (SPKR)
{
    Name (_HID, EisaId ("PNP0800"))
    Name (_CRS, ResourceTemplate () { IO (Decode16, 0x0061, 0x0061, 1, 1) })
}
Device (FPU)
{
    Name (_HID, EisaId ("PNP0C04"))
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x00F0, 0x00F0, 1, 2)
        IRQNoFlags () { 13 }
    })
}
Device (KBD)
{
    Name (_HID, EisaId ("PNP0303"))
    Name (_STA, 0x0F)
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x0060, 0x0060, 1, 1)
        IO (Decode16, 0x0064, 0x0064, 1, 1)
        IRQNoFlags () { 1 }
    })
}
Device (MOU)
{
    Name (_HID, EisaId ("PNP0F13"))
    Name (_STA, 0x0F)
    Name (_CRS, ResourceTemplate () { IRQNoFlags () { 12 } })
}
Device (COM1)
{
    Name (_HID, EisaId ("PNP0501"))
    Name (_UID, 1)
    Name (_STA, 0x0F)
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x03F8, 0x03F8, 1, 8)
        IRQNoFlags () { 4 }
    })
}
Device (COM2)
{
    Name (_HID, EisaId ("PNP0501"))
    Name (_UID, 2)
    Name (_STA, 0x0F)
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x02F8, 0x02F8, 1, 8)
        IRQNoFlags () { 3 }
    })
}
Device (COM3)
{
    Name (_HID, EisaId ("PNP0501"))
    Name (_UID, 3)
    Name (_STA, 0x0F)
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x03E8, 0x03E8, 1, 8)
        IRQNoFlags () { 4 }
    })
}
Device (COM4)
{
    Name (_HID, EisaId ("PNP0501"))
    Name (_UID, 4)
    Name (_STA, 0x0F)
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x02E8, 0x02E8, 1, 8)
        IRQNoFlags () { 3 }
    })
}
Device (LPT1)
{
    Name (_HID, EisaId ("PNP0400"))
    Name (_UID, 1)
    Name (_STA, 0x0F)
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x0378, 0x0378, 1, 8)
        IRQNoFlags () { 7 }
    })
}
Device (LPT2)
{
    Name (_HID, EisaId ("PNP0400"))
    Name (_UID, 2)
    Name (_STA, 0x0F)
    Name (_CRS, ResourceTemplate ()
    {
        IO (Decode16, 0x0278, 0x0278, 1, 8)
        IRQNoFlags () { 5 }
    })
}
