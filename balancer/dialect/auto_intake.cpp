// SPDX-License-Identifier: MIT
#include "balancer/dialect/auto_intake.hpp"

#include "common/text/listen_address.hpp"

#include <fmt/core.h>

#include <stdexcept>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

/// What stands in `listen` for the socket at `address`, without a name that is to be resolved.
ListenConfig numeric_entry(const ResolvedPool& config, const sys::SocketAddress& address)
{
    ListenConfig result{.address = address.to_string()};
    for (const auto& listen : config.listen)
        if (address.family() == AF_UNIX && mean_the_same(listen.address, result.address))
            result = listen; // with the rights of its file
    return result;
}

} // namespace

AutoIntake::AutoIntake(asio::any_io_executor executor, const ResolvedPool& config, EventBus& events)
    : executor_{std::move(executor)}, events_{events}, dispatch_{executor_, config.name, events}
{
    dispatch_.watch_for_node([this](const ResolvedPool& now) { become_node(now); });
}

/// All its primaries say so, one after the other.
void AutoIntake::become_node(const ResolvedPool& config)
{
    if (node_)
        return;
    // The numbers of names are known by now, and nobody may wait for a resolver here.
    auto numeric = config;
    auto sockets = dispatch_.release();
    numeric.listen.clear();
    if (!config.listen.empty())
        for (const auto& socket : sockets)
            numeric.listen.push_back(numeric_entry(config, socket.address));
    node_ = std::make_unique<NodeCluster>(executor_, events_, numeric);
    SocketSource nowhere;
    node_->prepare(numeric, nowhere).commit();
    node_->adopt(std::move(sockets));
}

ListenerChange AutoIntake::prepare(const ResolvedPool& next, SocketSource& sockets)
{
    if (!node_)
        return dispatch_.prepare(next, sockets);
    if (next.dialect != Dialect::automatic)
        throw std::runtime_error{
            fmt::format("the dialect of pool \"{}\" was found to be node, and cannot become {} "
                        "while usher runs; restart usher",
                        next.name, name_of(next.dialect))};
    return node_->prepare(next, sockets);
}

void AutoIntake::close(std::function<void()> on_closed)
{
    if (!node_)
        return dispatch_.close(std::move(on_closed));
    dispatch_.close(nullptr); // it has no listeners any more
    node_->close(std::move(on_closed));
}

std::size_t AutoIntake::drop_waiting()
{
    return dispatch_.drop_waiting() + (node_ ? node_->drop_waiting() : 0);
}

void AutoIntake::give_up_slot(unsigned slot)
{
    if (node_)
        node_->give_up_slot(slot);
}

std::shared_ptr<WorkerLink> AutoIntake::connect(std::shared_ptr<const ResolvedPool> config,
                                                const WorkerIdentity& identity)
{
    return node_ ? node_->connect(std::move(config), identity)
                 : dispatch_.connect(std::move(config), identity);
}

std::vector<sys::SocketAddress> AutoIntake::addresses() const
{
    return node_ ? node_->addresses() : dispatch_.addresses();
}

std::vector<SocketFile> AutoIntake::files() const
{
    return node_ ? node_->files() : dispatch_.files();
}

std::vector<Intake::Asked> AutoIntake::asked_for() const
{
    return node_ ? node_->asked_for() : std::vector<Asked>{};
}

std::vector<Listening> AutoIntake::listening() const
{
    return node_ ? node_->listening() : dispatch_.listening();
}

std::optional<DispatchCounters> AutoIntake::counters() const noexcept
{
    auto sum = dispatch_.counters();
    if (!node_ || !sum)
        return sum;
    const auto more = node_->counters();
    if (!more)
        return more;
    sum->handed_off += more->handed_off;
    sum->reclaimed += more->reclaimed;
    sum->moved += more->moved;
    sum->closed_as_suspect += more->closed_as_suspect;
    return sum;
}

} // namespace usher
