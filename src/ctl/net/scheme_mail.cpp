#include <stdlib.h>

#include "ctl/net/net_schemes.h"
#include "ctl/schemes.h"
#include "fs/mail/mail_fs.h"

namespace isthmus::ctl {
namespace {

constexpr OptionHelp kMailOptions[] = {
    {"ro", "change nothing"},
    {"trash=FOLDER", "where removed messages go; default: the folder Trash, made if need be"},
};

Expected<std::unique_ptr<FileSystem>> make_mail(const Source& source, const SourceHooks& hooks) {
  fs::mail::MailOptions options;
  std::string why;
  for (auto& [key, value] : own_options(source))
    if (!fs::mail::set_mail_option(options, key, value, why)) return bad_option(source, why);
  const fs::mail::MailHooks mail_hooks{.password = hooks.passphrase, .cancelled = hooks.cancelled};
  std::string place = source.path;
  if (place.empty()) return Problem{err(EINVAL), "source 'mail:' names no mail", "mail:PATH of a Maildir or an mbox"};
  // The server stands in "/" later.
  if (char* real = realpath(place.c_str(), nullptr)) {
    place = real;
    free(real);
  }
  auto made = fs::mail::MailFs::open(place, options, mail_hooks);
  if (!made) {
    Problem p = made.problem();
    p.what = "source '" + source.label() + "': " + p.what;
    return p;
  }
  return std::unique_ptr<FileSystem>(std::move(*made));
}

}  // namespace

const Scheme kMailScheme{
    "mail",       false,     "mail: a Maildir or an mbox (read-only), messages as directories 001, 002, ...",
    kMailOptions, make_mail, false,
    "PLACE"};

}  // namespace isthmus::ctl
