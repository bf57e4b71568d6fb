// The numbers of added and deleted lines.

export function Counts({ added, removed }: { added: number; removed: number }) {
  return (
    <span className="counts">
      <span className="count-add">+{added}</span> <span className="count-del">−{removed}</span>
    </span>
  );
}
