// A PC's ROM that holds a bench guest and starts it: Bochs has no -kernel, and this way it needs no BIOS and no disk.
// PAYLOAD is the guest as flat binary, to lie at 1 MiB. The first instruction is at FFFF'FFF0 (SDM vol. 3, 9.1.4).
asm(R"(
.section .rom, "ax"
.code16
rom_start:
  cli
  lgdtl %cs:(0xF000 + rom_gdt_pointer - rom_start)  # CS starts 64 KiB below 4 GiB
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  ljmpl $8, $1f
.code32
1:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movb $2, %al            # A20
  outb %al, $0x92
  movl $rom_payload, %esi
  movl $0x100000, %edi
  movl $rom_payload_end - rom_payload, %ecx
  cld
  rep movsb
  movl $0x100000, %eax
  jmp *%eax
.align 8
rom_gdt:
  .quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
rom_gdt_pointer:
  .word 23
  .long rom_gdt

.section .payload, "a"
rom_payload:
  .incbin ")" PAYLOAD R"("
rom_payload_end:

.section .reset, "ax"
.code16
  .byte 0xE9
  .word 0xF000 - 0xFFF3   # to rom_start
  .skip 13
)");
