// The integer instructions by group; each file answers for its own.
#pragma once

#include "machine/cpu/decode.hpp"

namespace vitrine {

Selection select_alu_group(const Decoded& decoded, Operation& operation);       // integer_alu.cpp
Selection select_move_group(const Decoded& decoded, Operation& operation);      // integer_move.cpp
Selection select_stack_group(const Decoded& decoded, Operation& operation);     // integer_stack.cpp
Selection select_convert_group(const Decoded& decoded, Operation& operation);   // integer_convert.cpp
Selection select_shift_group(const Decoded& decoded, Operation& operation);     // integer_shift.cpp
Selection select_flow_group(const Decoded& decoded, Operation& operation);      // integer_flow.cpp
Selection select_string_group(const Decoded& decoded, Operation& operation);    // integer_string.cpp
Selection select_bit_group(const Decoded& decoded, Operation& operation);       // integer_bit.cpp
Selection select_multiply_group(const Decoded& decoded, Operation& operation);  // integer_multiply.cpp

}  // namespace vitrine
