#include "storage/catalog/catalog.h"

namespace varve {

Catalog::Catalog(const Parts& parts)
    : repositories({parts.index, parts.ids, parts.clock, parts.names}),
      empty_repositories({parts.index, parts.promises, parts.clock}),
      events({parts.index, parts.clock, parts.events, repositories}),
      members(parts.index),
      tags({parts.index, parts.blobs, parts.promises, parts.clock, repositories, events}),
      links({parts.index, parts.promises, parts.clock, empty_repositories}),
      blobs({parts.index, parts.blobs, parts.promises, parts.clock, repositories,
             empty_repositories, links}),
      reads({parts.blobs, parts.promises, parts.pull_times, parts.clock, repositories, events,
             members, tags}),
      referrers({parts.index, parts.blobs, parts.promises, repositories, members}),
      finder({parts.index, parts.promises, parts.clock, repositories, members, tags}),
      edge_removals({parts.index, parts.blobs, parts.ids, parts.promises, parts.clock,
                     empty_repositories, tags, links}),
      deletions({parts.index, parts.promises, parts.clock, repositories, empty_repositories, events,
                 tags, links, edge_removals}),
      puts({parts.index, parts.blobs, parts.promises, parts.clock, parts.accept_sparse_index,
            repositories, events, members, tags, links, edge_removals}),
      copies({parts.blobs, repositories, events, members, tags, puts}),
      merges({parts.index, parts.pull_times, repositories, empty_repositories, events, members,
              tags, links, deletions, copies}) {}

}  // namespace varve
