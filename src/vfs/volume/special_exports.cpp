#include "vfs/volume/ask.h"
#include "vfs/volume/special.h"

/// Export handles.
namespace isthmus::volume {

namespace {

void pin(Core& core, NodeId node) {
  bool fresh = false;
  NodeId old = core.exports.pin(node, fresh);
  if (fresh) core.cache.hold(node);
  if (old != NodeId::none) core.leave(old);
}

}  // namespace

void node_to_export(Core& core, const Facts& port, Pending<op::NodeToExport>& p) {
  if (port->options.has_kernel) return core.fs.submit(p);
  Call<op::NodeToExport> call(p);
  if (!core.fs.capabilities().has(Op::NodeToExport)) {
    if (call->node != NodeId::root) pin(core, call->node);
    return call.reply(core.exports.seal(call->node));
  }
  Context ctx = call.context();
  op::NodeToExport a = *call;
  ask(core, port, ctx, a, Extra{}, [&core, call = std::move(call)](Result<ExportHandle>&& r, const Marks&) mutable {
    if (!r) return call.fail(r.error());
    call.finish(core.exports.seal(*r));
  });
}

void export_to_node(Core& core, const Facts& port, Pending<op::ExportToNode>& p) {
  if (port->options.has_kernel) return core.fs.submit(p);
  Call<op::ExportToNode> call(p);
  auto opened = core.exports.open(call->handle);
  if (!opened) return call.fail(opened.error());
  Context ctx = call.context();
  ctx.access_checked = true;  // the handle proves that its node was reached
  auto since = core.cache.begin();
  if (opened->node == NodeId::none) {
    op::ExportToNode a{{}, opened->inner};
    return ask(core, port, ctx, a, Extra{}, [&core, call = std::move(call)](Result<Entry>&& r, const Marks& m) mutable {
      if (r && r->node != NodeId::none) core.cache.enter(*r, monotonic_ns(), m.node);
      call.finish(std::move(r));
    });
  }
  NodeId node = opened->node;
  if (node != NodeId::root && !core.exports.pinned(node)) return call.fail(ESTALE);
  core.cache.hold(node);  // pinned: it is there
  op::Getattr a{};
  a.node = node;
  ask(core, port, ctx, a, Extra{},
      [&core, node, since, call = std::move(call)](Result<Attributes>&& r, const Marks&) mutable {
        if (!r) {
          core.leave(node);
          return call.fail(r.error());
        }
        core.cache.learn(node, *r, monotonic_ns(), since);
        call.reply(Entry{node, 0, r->attr, 0, r->ttl});
      });
}

}  // namespace isthmus::volume
