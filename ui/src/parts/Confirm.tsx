// A dialog that asks for confirmation.

import "../styles/dialog.css";
import { Dialog, DialogDescription, DialogDismiss, DialogHeading } from "@ariakit/react";
import { strings } from "../strings";

interface Props {
  title: string;
  text: string;
  action: string;
  confirm: () => void;
  close: () => void;
}

export default function Confirm({ title, text, action, confirm, close }: Props) {
  return (
    <Dialog open onClose={close} className="dialog" backdrop={<div className="backdrop" />}>
      <DialogHeading className="dialog-title">{title}</DialogHeading>
      <DialogDescription>{text}</DialogDescription>
      <div className="dialog-actions">
        <DialogDismiss className="button">{strings.form.cancel}</DialogDismiss>
        <button type="button" className="button danger" onClick={confirm}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}
