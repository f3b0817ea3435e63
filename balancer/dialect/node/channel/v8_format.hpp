// SPDX-License-Identifier: MIT
#pragma once

/// The bytes of V8's serializer, as far as they are needed here.
///
/// A value is `ff`, a version and one tagged value; numbers are varints, seven bits a byte with the
/// lowest first, and signed ones are zig-zag.  Other tags (maps, dates, buffers, references...) are
/// for the programs alone; who looks for a key in what has them skips them.
namespace usher::node::v8 {

inline constexpr char header = '\xff';

/// What Node 16 reads, and so what we write; what we write looks the same in all later ones.
inline constexpr char version = '\x0d';

inline constexpr char padding = '\0'; ///< before any tag; stands for nothing
inline constexpr char undefined = '_';
inline constexpr char null = '0';
inline constexpr char yes = 'T';
inline constexpr char no = 'F';
inline constexpr char int32 = 'I';
inline constexpr char uint32 = 'U';
inline constexpr char number = 'N';        ///< eight bytes as the CPU has them
inline constexpr char one_byte_text = '"'; ///< Latin-1, its length before it
inline constexpr char two_byte_text = 'c'; ///< UTF-16, its length in bytes before it
inline constexpr char utf8_text = 'S';     ///< its length before it; V8 reads but never writes it
inline constexpr char object = 'o';        ///< keys and values, then:
inline constexpr char end_of_object = '{'; ///< how many keys
inline constexpr char dense_array = 'A';   ///< its length, the elements, then:
inline constexpr char end_of_dense = '$';  ///< how many keys beside them, and the length again
inline constexpr char hole = '-';          ///< of a dense array
inline constexpr char sparse_array = 'a';  ///< its length, keys and values, then:
inline constexpr char end_of_sparse = '@'; ///< how many keys, and the length again

// What is no plain data.
inline constexpr char reference = '^';   ///< the how many-th object before
inline constexpr char date = 'D';        ///< as a number
inline constexpr char bigint = 'Z';      ///< sign and twice the length, then the digits
inline constexpr char regexp = 'R';      ///< a text, then flags
inline constexpr char map = ';';         ///< keys and values, then:
inline constexpr char end_of_map = ':';  ///< how many of both
inline constexpr char set = '\'';        ///< values, then:
inline constexpr char end_of_set = ',';  ///< how many
inline constexpr char buffer = 'B';      ///< its length, the bytes
inline constexpr char wide_buffer = '~'; ///< one that can grow: its length, its most, the bytes
inline constexpr char error = 'r';       ///< parts, each by a letter
inline constexpr char end_of_error = '.';
inline constexpr char yes_object = 'y';
inline constexpr char no_object = 'x';
inline constexpr char number_object = 'n'; ///< as a number
inline constexpr char bigint_object = 'z'; ///< as a bigint
inline constexpr char text_object = 's';   ///< a text
inline constexpr char host_object = '\\'; ///< of Node's: 0, a kind, a length, the bytes; 1, a value

} // namespace usher::node::v8
