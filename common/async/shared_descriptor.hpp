// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/line_writer.hpp"

#include <cstddef>
#include <string_view>

namespace usher {

/// A descriptor that is not ours alone, such as standard error.
///
/// The open file stays blocking, since O_NONBLOCK would be in force for its other owners as well;
/// and for a shared pipe or a terminal no poll(2) can promise that a write does not block.
class SharedDescriptor final : public LineWriter::Target {
public:
    /// `fd` stays the caller's.
    explicit SharedDescriptor(int fd) noexcept : fd_{fd} {}

    /// How many bytes of `lines` are to be written at once, so that no other's line comes in
    /// between: as many whole lines as a pipe takes, or one that is longer.
    [[nodiscard]] static std::size_t fitting(std::string_view lines) noexcept;

    /// Whole lines as far as another's line cannot come in between.  A descriptor that is gone or
    /// full takes no complaint.
    [[nodiscard]] Result write(std::string_view lines) override;
    void wait() override;
    void on_given_up(std::size_t lines) override;

private:
    int fd_;
};

} // namespace usher
