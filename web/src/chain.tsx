/** What every page needs to know of the chain: decimals, symbol, epoch clock, trust anchor. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Schemas } from './api/client';

export const ChainContext = createContext<Schemas['Chain'] | undefined>(undefined);

export function useChain(): Schemas['Chain'] | undefined {
  return useContext(ChainContext);
}

/** How token amounts read; sensible while the chain has not answered. */
export function useToken(): { symbol: string; decimals: number } {
  const chain = useChain();
  return { symbol: chain?.symbol ?? 'token', decimals: chain?.decimals ?? 6 };
}
