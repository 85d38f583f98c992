#include <sys/stat.h>

#include "fs/mail/imap_store.h"
#include "fs/mail/mail_fs.h"
#include "fs/mail/maildir.h"
#include "fs/mail/mbox.h"

namespace isthmus::fs::mail {

Expected<std::unique_ptr<MailFs>> MailFs::open(const std::string& place, const MailOptions& options,
                                               const MailHooks& hooks) {
  auto mailbox = std::make_unique<Mailbox>();
  if (imap::is_address(place)) {
    auto store = ImapStore::open(place, options, hooks, *mailbox);
    if (!store) return store.problem();
    return std::make_unique<MailFs>(place, std::move(mailbox), std::move(*store));
  }
  struct stat st {};
  if (::stat(place.c_str(), &st) < 0)
    return Problem{last_errno(), "'" + place + "': " + std::string(text_of(last_errno())), ""};
  auto store = S_ISDIR(st.st_mode) ? Maildir::open(place, options, *mailbox) : Mbox::open(place, options, *mailbox);
  if (!store) return store.problem();
  return std::make_unique<MailFs>(place, std::move(mailbox), std::move(*store));
}

}  // namespace isthmus::fs::mail
