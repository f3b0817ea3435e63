// SPDX-License-Identifier: MIT
// Nothing: a target has a source, and heavy.hpp is compiled for it.
